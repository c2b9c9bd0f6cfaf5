// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/oracle.h"

#include <gst/video/gstvideometa.h>

#include <algorithm>

namespace elf::bench {

namespace {
constexpr float kPaddingRatio = 0.1F;
constexpr float kPaddingMinimum = 16;
}  // namespace

Rect paddedRegion(const Box& box, Size frame) {
  const float x = std::max(kPaddingMinimum, kPaddingRatio * box.width());
  const float y = std::max(kPaddingMinimum, kPaddingRatio * box.height());
  return roundOutwards(grow(box, {x, y, x, y}), frame);
}

void addReferenceRois(GstBuffer* buffer, std::span<const Detection> reference, float minScore,
                      Size frame) {
  for (const Detection& detection : reference) {
    const Rect region = paddedRegion(detection.box, frame);
    if (detection.score < minScore || region.empty()) continue;
    gst_buffer_add_video_region_of_interest_meta(
        buffer, detection.label.empty() ? "object" : detection.label.c_str(),
        static_cast<guint>(region.x), static_cast<guint>(region.y),
        static_cast<guint>(region.width), static_cast<guint>(region.height));
  }
}

}  // namespace elf::bench
