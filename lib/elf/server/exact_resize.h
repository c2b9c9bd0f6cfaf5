// SPDX-License-Identifier: LGPL-2.1-or-later
// A piece of a resized frame, from a part of the frame. Not installed.
#pragma once

#include <opencv2/core.hpp>

#include "elf/geometry/box.h"

namespace elf {

/**
 * The columns (or rows) of a frame of `length` pixels, resized to `resized`, that are made of the
 * pixels `from` <= x < `to` alone: the first of them and the one behind the last.
 */
std::pair<int, int> madeOf(int from, int to, int length, int resized);

/**
 * Bit for bit the rectangle `region` of what cv::resize() makes of the whole frame with
 * INTER_LINEAR_EXACT and the size `resized`, as far as it is made of the pixels of `part`, which
 * has three channels of a byte; the rest of it repeats the nearest of them. OpenCV itself can't
 * resize a part so that it equals the same part of the resized frame, because it starts anew at the
 * part's corner.
 */
void resizePart(const cv::Mat& part, const Placement& placement, cv::Size resized,
                const cv::Rect& region, cv::Mat& out);

}  // namespace elf
