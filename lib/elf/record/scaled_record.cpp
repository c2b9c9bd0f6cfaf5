// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/record/scaled_record.h"

#include <memory>

namespace elf {

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
