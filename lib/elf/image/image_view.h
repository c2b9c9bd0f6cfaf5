// SPDX-License-Identifier: LGPL-2.1-or-later
// A view of a picture in memory of another owner, in a format that Elf reads without conversion.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "elf/geometry/box.h"

namespace elf {

/** Memory layouts, named as GStreamer names them. The x or A byte is never read. */
enum class PixelFormat { I420, NV12, GRAY8, RGB, BGR, RGBx, BGRx, xRGB, xBGR };

/** The relation of the YUV formats to RGB. */
enum class ColourMatrix { Bt601, Bt709, Bt2020 };
enum class ColourRange { Limited, Full };

/**
 * Does not own the pixels. Plane i begins at planes[i], and its rows are strides[i] bytes apart.
 * I420 has three planes, NV12 two, the others one. Chroma planes of an odd size round up.
 */
template <typename Byte>
struct BasicImageView {
  PixelFormat format = PixelFormat::I420;
  Size size;
  std::array<Byte*, 3> planes{};
  std::array<int, 3> strides{};
  ColourMatrix matrix = ColourMatrix::Bt601;
  ColourRange range = ColourRange::Limited;
  /** Both fields of an interlaced frame, each every second row: rows of chroma are one of the upper
   * field, one of the lower field, and so on. */
  bool interlaced = false;

  /** The row of I420's and NV12's chroma that belongs to row `y`. */
  int chromaRow(int y) const {
    const int row = interlaced ? y / 4 * 2 + y % 2 : y / 2;
    return std::min(row, (size.height + 1) / 2 - 1);
  }
};

using ImageView = BasicImageView<const std::uint8_t>;
using MutableImageView = BasicImageView<std::uint8_t>;

}  // namespace elf
