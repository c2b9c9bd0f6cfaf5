// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/record/frame_record.h"

namespace elf {

std::string FrameRecord::name() const {
  return "frame " + std::to_string(generation) + "." + std::to_string(id) + " trace " + trace;
}

std::size_t FrameRecord::bytesSent() const {
  std::size_t sum = 0;
  for (const PartAnswer& answer : answers) sum += answer.bytesSent;
  return sum;
}

double FrameRecord::pixelsSent() const {
  double sum = 0;
  if (!plan) return sum;
  for (std::size_t i = 0; i < answers.size() && i < plan->parts.size(); ++i)
    sum += answers[i].attempts * plan->parts[i].sentSize().area();
  return sum;
}

FrameRecord scaledTo(Size size, const Rect& content, const FrameRecord& record) {
  FrameRecord scaled = record;
  const auto x = static_cast<float>(content.width) / static_cast<float>(record.size.width);
  const auto y = static_cast<float>(content.height) / static_cast<float>(record.size.height);
  const auto dx = static_cast<float>(content.x), dy = static_cast<float>(content.y);
  scaled.size = size;
  scaled.rps.reset();
  scaled.predicted.reset();
  scaled.plan.reset();
  scaled.cut.clear();
  for (Detection& detection : scaled.detections) {
    detection.box = shift(elf::scaled(detection.box, x, y), dx, dy);
    detection.mask.reset();
    for (Keypoint& joint : detection.keypoints) {
      joint.x = joint.x * x + dx;
      joint.y = joint.y * y + dy;
    }
    if (detection.rotated) detection.rotated = detection.rotated->scaled(x, y).shifted(dx, dy);
  }
  if (record.before)
    scaled.before = std::make_shared<const FrameRecord>(scaledTo(size, content, *record.before));
  return scaled;
}

}  // namespace elf
