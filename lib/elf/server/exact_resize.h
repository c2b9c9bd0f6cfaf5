// SPDX-License-Identifier: LGPL-2.1-or-later
// Resizes a part of a frame exactly as the whole frame. Not installed.
#pragma once

#include <opencv2/core.hpp>

#include "elf/geometry/box.h"

namespace elf {

/**
 * The columns (or rows) of a frame of `length` pixels, resized to `resized`, that depend only on
 * the pixels `from` <= x < `to`: the first one, and the one after the last.
 */
std::pair<int, int> madeOf(int from, int to, int length, int resized);

/**
 * Computes the rectangle `region` of the whole frame after cv::resize() with INTER_LINEAR_EXACT to
 * the size `resized`, bit for bit, as far as it depends only on the pixels of `part`. The rest
 * repeats the nearest of them. `part` has three channels of a byte. OpenCV itself can't resize a
 * part so that it equals the same part of the resized frame, because it starts anew at the part's
 * corner.
 */
void resizePart(const cv::Mat& part, const Placement& placement, cv::Size resized,
                const cv::Rect& region, cv::Mat& out);

}  // namespace elf
