// SPDX-License-Identifier: LGPL-2.1-or-later
// A picture of which one knows how much there is to see.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "elf/base/random.h"
#include "elf/image/image_view.h"

namespace elf::testing {

/** I420: smooth waves, with noise of `noise` grey levels on the left, and none on the right. */
class MadePicture {
 public:
  MadePicture(Size size, double noise, std::uint64_t seed) : size_(size) {
    Random random(seed);
    const int halfWidth = (size.width + 1) / 2, halfHeight = (size.height + 1) / 2;
    luma_.reserve(static_cast<std::size_t>(size.area()));
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x) {
        const double amount = noise * std::max(0.0, 1 - 2.0 * x / size.width);
        luma_.push_back(static_cast<std::uint8_t>(
            128 + 60 * std::sin(0.03 * x + 0.01 * static_cast<double>(seed)) * std::cos(0.02 * y) +
            random.uniform(-amount, amount)));
      }
    chroma_.assign(static_cast<std::size_t>(halfWidth) * halfHeight, 128);
  }

  ImageView view() const {
    const int half = (size_.width + 1) / 2;
    return {.format = PixelFormat::I420,
            .size = size_,
            .planes = {luma_.data(), chroma_.data(), chroma_.data()},
            .strides = {size_.width, half, half}};
  }

 private:
  Size size_;
  std::vector<std::uint8_t> luma_, chroma_;
};

}  // namespace elf::testing
