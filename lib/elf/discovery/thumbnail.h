// SPDX-License-Identifier: LGPL-2.1-or-later
// A small grey copy of a frame, to tell where it changed.
#pragma once

#include <cstdint>
#include <vector>

#include "elf/image/image_view.h"

namespace elf {

/**
 * Fills `grey` with the brightness of `picture` (0 dark to 255 bright, in the picture's own range)
 * in `size.width` x `size.height` samples, row by row; each is about the mean of the pixels that
 * it stands for. `size` is not empty, and no larger than the picture.
 */
void makeThumbnail(const ImageView& picture, Size size, std::vector<std::uint8_t>& grey);

}  // namespace elf
