// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/yardstick.h"

namespace elf::bench {

namespace {

std::vector<Detection> judgedByTruth(const std::vector<Detection>& detections,
                                     const Yardstick& yardstick) {
  const std::set<std::int64_t>& labels = yardstick.truth->labels;
  std::vector<Detection> judged;
  for (const Detection& detection : detections)
    if (detection.score >= yardstick.minScore &&
        (labels.empty() || labels.contains(detection.labelId)))
      judged.push_back(detection);
  return judged;
}

}  // namespace

Truth makeTruth(const std::vector<MotEntry>& entries, std::size_t count, Size frame, Size source,
                const ModelRules& rules) {
  const float x = static_cast<float>(frame.width) / static_cast<float>(source.width);
  const float y = static_cast<float>(frame.height) / static_cast<float>(source.height);
  Truth truth;
  truth.frames.resize(count);
  for (const MotEntry& entry : entries) {
    if (static_cast<std::size_t>(entry.frame) >= count || entry.box.empty()) continue;
    Truth::Frame& at = truth.frames[static_cast<std::size_t>(entry.frame)];
    (entry.confidence == 0 ? at.ignored : at.boxes).push_back(scaled(entry.box, x, y));
  }
  for (std::size_t id = 0; id < rules.labels.size(); ++id)
    if (rules.labels[id] == "person" || rules.labels[id] == "pedestrian")
      truth.labels.insert(static_cast<std::int64_t>(id));
  return truth;
}

void Comparison::add(std::size_t frame, const std::vector<Detection>& found) {
  const std::vector<Detection>& reference = yardstick_.reference[frame];
  const float minScore = yardstick_.minScore, sureScore = yardstick_.sureScore;
  confident_ += eval::compareConfident(reference, found, kMinIou, minScore, sureScore);
  confident75_ += eval::compareConfident(reference, found, kStrictIou, minScore, sureScore);
  if (!yardstick_.truth) return;
  const Truth::Frame& truth = yardstick_.truth->frames[frame];
  truth_.add(truth.boxes, truth.ignored, judgedByTruth(found, yardstick_));
}

std::optional<eval::TruthFigures> Comparison::truth() const {
  if (!yardstick_.truth) return std::nullopt;
  return truth_.figures();
}

eval::TruthFigures judgeReference(const Yardstick& yardstick) {
  Comparison comparison(yardstick);
  for (std::size_t frame = 0; frame < yardstick.reference.size(); ++frame)
    comparison.add(frame, yardstick.reference[frame]);
  return *comparison.truth();
}

}  // namespace elf::bench
