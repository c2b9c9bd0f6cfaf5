// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/record/frame_fields.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace elf {

namespace {

// The double whose shortest decimal form is that of the float: 0.87, not 0.870000005.
double shortest(float number) {
  if (!std::isfinite(number)) return number;
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  double same = number;
  std::from_chars(text.data(), end, same);
  return same;
}

FieldValue integer(std::int64_t number) {
  return {number};
}

FieldValue serverUrl(const FrameRecord& record, int server) {
  if (!record.capacity || server < 0 ||
      static_cast<std::size_t>(server) >= record.capacity->servers.size())
    return {};
  return {record.capacity->servers[static_cast<std::size_t>(server)].url};
}

FieldValue box(const Box& b) {
  return {std::vector<FieldValue>{
      {shortest(b.x0)}, {shortest(b.y0)}, {shortest(b.x1)}, {shortest(b.y1)}}};
}

FieldValue mask(const Mask& of) {
  std::vector<FieldValue> runs;
  for (const std::uint32_t length : runLengths(of)) runs.push_back(integer(length));
  const Rect& r = of.rect();
  return {std::vector<Field>{
      {"rect",
       {std::vector<FieldValue>{integer(r.x), integer(r.y), integer(r.width), integer(r.height)}}},
      {"runs", {std::move(runs)}}}};
}

FieldValue keypoints(const std::vector<Keypoint>& joints) {
  std::vector<FieldValue> list;
  for (const Keypoint& joint : joints)
    list.push_back({std::vector<FieldValue>{
        {shortest(joint.x)}, {shortest(joint.y)}, {shortest(joint.visibility)}}});
  return {std::move(list)};
}

/** Those of earlier stages come first. */
void addDetections(const FrameRecord& record, std::vector<FieldValue>& list) {
  if (record.before) addDetections(*record.before, list);
  for (const Detection& d : record.detections) {
    std::vector<Field> fields{{"id", integer(d.id)},
                              {"label", {d.label}},
                              {"label_id", integer(d.labelId)},
                              {"score", {shortest(d.score)}},
                              {"box", box(d.box)},
                              {"coasted", {d.coasted}},
                              {"server", serverUrl(record, d.server)},
                              {"stage", integer(record.stage)}};
    if (d.mask) fields.push_back({"mask", mask(*d.mask)});
    if (!d.keypoints.empty()) fields.push_back({"keypoints", keypoints(d.keypoints)});
    if (d.rotated) fields.push_back({"rotated", toField(*d.rotated)});
    list.push_back({std::move(fields)});
  }
}

FieldValue milliseconds(const std::optional<std::chrono::nanoseconds>& time) {
  if (!time) return {};
  return {static_cast<double>(std::chrono::round<Microseconds>(*time).count()) * 1e-3};
}

FieldValue timings(const Timings& t) {
  return {std::vector<Field>{{"predict", integer(t.predict.count())},
                             {"partition", integer(t.partition.count())},
                             {"encode", integer(t.encode.count())},
                             {"offload", integer(t.offload.count())},
                             {"merge", integer(t.merge.count())},
                             {"total", integer(t.total.count())}}};
}

}  // namespace

FieldValue toField(const RotatedBox& box) {
  return {std::vector<FieldValue>{{shortest(box.centreX)},
                                  {shortest(box.centreY)},
                                  {shortest(box.width)},
                                  {shortest(box.height)},
                                  {shortest(box.angle)}}};
}

std::vector<Field> frameFields(const FrameRecord& record, std::optional<std::int64_t> ptsNs) {
  std::vector<Field> bytes{{"sent", integer(static_cast<std::int64_t>(record.bytesSent()))},
                           {"whole", integer(static_cast<std::int64_t>(record.wholeBytes))}};
  std::vector<FieldValue> found;
  addDetections(record, found);
  return {{"frame", integer(static_cast<std::int64_t>(record.id))},
          {"generation", integer(record.generation)},
          {"stage", integer(record.stage)},
          {"trace", record.trace.empty() ? FieldValue{} : FieldValue{record.trace}},
          {"pts_ns", ptsNs ? integer(*ptsNs) : FieldValue{}},
          {"width", integer(record.size.width)},
          {"height", integer(record.size.height)},
          {"horizon", integer(record.horizon)},
          {"horizon_ms", milliseconds(record.horizonTime)},
          {"inferred", {record.inferred}},
          {"detections", {std::move(found)}},
          {"timings_us", timings(record.timings)},
          {"bytes", {std::move(bytes)}}};
}

}  // namespace elf
