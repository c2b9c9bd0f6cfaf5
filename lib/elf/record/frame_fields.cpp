// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/record/frame_fields.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace elf {

namespace {

// Keeps the order in which fields are written here.
using Json = nlohmann::ordered_json;

Json serverUrl(const FrameRecord& record, int server) {
  const std::string* url = record.urlOf(server);
  return url ? Json(*url) : Json();
}

Json box(const Box& b) {
  return {shortest(b.x0), shortest(b.y0), shortest(b.x1), shortest(b.y1)};
}

Json mask(const Mask& of) {
  const Rect& r = of.rect();
  return {{"rect", {r.x, r.y, r.width, r.height}}, {"runs", runLengths(of)}};
}

Json keypoints(const std::vector<Keypoint>& joints) {
  Json list = Json::array();
  for (const Keypoint& joint : joints)
    list.push_back({shortest(joint.x), shortest(joint.y), shortest(joint.visibility)});
  return list;
}

/** Those of earlier stages come first. */
void addDetections(const FrameRecord& record, Json& list) {
  if (record.before) addDetections(*record.before, list);
  for (const Detection& d : record.detections) {
    Json& fields = list.emplace_back(Json{{"id", d.id},
                                          {"label", d.label},
                                          {"label_id", d.labelId},
                                          {"score", shortest(d.score)},
                                          {"box", box(d.box)},
                                          {"coasted", d.coasted},
                                          {"kept", d.kept},
                                          {"server", serverUrl(record, d.server)},
                                          {"stage", record.stage}});
    if (d.mask) fields["mask"] = mask(*d.mask);
    if (!d.keypoints.empty()) fields["keypoints"] = keypoints(d.keypoints);
    if (d.rotated) fields["rotated"] = toField(*d.rotated);
  }
}

Json milliseconds(const std::optional<std::chrono::nanoseconds>& time) {
  if (!time) return nullptr;
  return static_cast<double>(std::chrono::round<Microseconds>(*time).count()) * 1e-3;
}

Json timings(const Timings& t) {
  return {{"predict", t.predict.count()}, {"partition", t.partition.count()},
          {"encode", t.encode.count()},   {"offload", t.offload.count()},
          {"merge", t.merge.count()},     {"total", t.total.count()}};
}

}  // namespace

double shortest(float number) {
  if (!std::isfinite(number)) return number;
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  double same = number;
  std::from_chars(text.data(), end, same);
  return same;
}

Json toField(const RotatedBox& box) {
  return {shortest(box.centreX), shortest(box.centreY), shortest(box.width), shortest(box.height),
          shortest(box.angle)};
}

Json frameFields(const FrameRecord& record, std::optional<std::int64_t> ptsNs) {
  Json found = Json::array();
  addDetections(record, found);
  return {{"frame", record.id},
          {"generation", record.generation},
          {"stage", record.stage},
          {"trace", record.trace.empty() ? Json() : Json(record.trace)},
          {"pts_ns", ptsNs ? Json(*ptsNs) : Json()},
          {"width", record.size.width},
          {"height", record.size.height},
          {"horizon", record.horizon},
          {"horizon_ms", milliseconds(record.horizonTime)},
          {"inferred", record.inferred},
          {"detections", std::move(found)},
          {"timings_us", timings(record.timings)},
          {"bytes", {{"sent", record.bytesSent()}, {"whole", record.wholeBytes}}}};
}

std::string toJsonLine(const FrameRecord& record, std::optional<std::int64_t> ptsNs) {
  // Servers may send any bytes as labels, also control codes for a terminal.
  return frameFields(record, ptsNs).dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace elf
