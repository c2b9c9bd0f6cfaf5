// SPDX-License-Identifier: LGPL-2.1-or-later
// How pictures are scaled.
#pragma once

#include <opencv2/imgproc.hpp>

#include "elf/geometry/box.h"

namespace elf {

/** For cv::resize(). INTER_AREA averages, which keeps small objects, but repeats pixels where it
 * enlarges. */
inline int interpolationFor(Size from, Size to) {
  const bool shrinks = to.width <= from.width && to.height <= from.height;
  return shrinks ? cv::INTER_AREA : cv::INTER_LINEAR;
}

}  // namespace elf
