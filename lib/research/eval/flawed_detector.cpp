// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/flawed_detector.h"

#include <algorithm>
#include <utility>

namespace elf::eval {

std::vector<std::optional<Detection>> FlawedDetector::look(const TraceFrame& frame) {
  const auto shake = [this](float side, double by) {
    return static_cast<float>(side + jitter_ * by);
  };
  std::vector<std::optional<Detection>> found(frame.objects.size());
  for (std::size_t i = 0; i < frame.objects.size(); ++i) {
    const TraceObject& object = frame.objects[i];
    if (object.ignored) continue;
    const bool missed = random_.chance(miss_);
    const auto [left, top] = random_.normals();
    const auto [right, bottom] = random_.normals();
    if (missed) continue;
    const Box& box = object.box;
    const Box shaken{shake(box.x0, left), shake(box.y0, top), shake(box.x1, right),
                     shake(box.y1, bottom)};
    Detection detection;
    detection.box = clip({std::min(shaken.x0, shaken.x1), std::min(shaken.y0, shaken.y1),
                          std::max(shaken.x0, shaken.x1), std::max(shaken.y0, shaken.y1)},
                         frame.size);
    if (detection.box.empty()) continue;
    detection.score = 1;
    detection.labelId = object.labelId;
    detection.label = object.label;
    found[i] = std::move(detection);
  }
  return found;
}

}  // namespace elf::eval
