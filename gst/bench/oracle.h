// SPDX-License-Identifier: LGPL-2.1-or-later
// The RPs of a perfect prediction: the reference's detections in the same frame.
#pragma once

#include <gst/gst.h>

#include <span>

#include "elf/geometry/box.h"
#include "elf/types/detection.h"

namespace elf::bench {

/** Grows `box` on each side by 10 % of its width or height, but at least 16 px, to whole pixels. */
Rect paddedRegion(const Box& box, Size frame);

/** One GstVideoRegionOfInterestMeta for each detection of at least `minScore`. */
void addReferenceRois(GstBuffer* buffer, std::span<const Detection> reference, float minScore,
                      Size frame);

}  // namespace elf::bench
