// SPDX-License-Identifier: LGPL-2.1-or-later
// A small grey copy of a frame, to detect changes.
#pragma once

#include <cstdint>
#include <vector>

#include "elf/image/image_view.h"

namespace elf {

/**
 * Fills `grey` with the brightness of `picture` (0 dark to 255 bright, in the picture's own range)
 * in `size.width` x `size.height` samples, row by row. Each is about the mean of its pixels. `size`
 * is not empty, and not larger than the picture.
 */
void makeThumbnail(const ImageView& picture, Size size, std::vector<std::uint8_t>& grey);

}  // namespace elf
