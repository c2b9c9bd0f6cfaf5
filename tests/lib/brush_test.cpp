// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/brush.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace elf {
namespace {

constexpr Colour kRed{1, 0, 0};

/** Grey, in I420, interlaced. */
struct Interlaced {
  explicit Interlaced(int height)
      : chroma(static_cast<std::size_t>((height + 1) / 2)),
        luma(16 * static_cast<std::size_t>(height), 100),
        u(8 * chroma, 128),
        v(8 * chroma, 128) {
    view.format = PixelFormat::I420;
    view.size = {16, height};
    view.planes = {luma.data(), u.data(), v.data()};
    view.strides = {16, 8, 8};
    view.interlaced = true;
  }
  /** The first red-difference sample of each row. */
  std::vector<int> red() const {
    std::vector<int> rows;
    for (std::size_t row = 0; row < chroma; ++row) rows.push_back(v[8 * row]);
    return rows;
  }

  std::size_t chroma;
  std::vector<std::uint8_t> luma, u, v;
  MutableImageView view;
};

TEST(Brush, FillsTheChromaOfTheFieldThatARowIsIn) {
  Interlaced picture(16);
  Brush(picture.view).fill({0, 5, 16, 1}, kRed);
  EXPECT_EQ(picture.red(), (std::vector<int>{128, 128, 128, 240, 128, 128, 128, 128}));
  Brush(picture.view).fill({0, 6, 16, 2}, kRed);
  EXPECT_EQ(picture.red(), (std::vector<int>{128, 128, 240, 240, 128, 128, 128, 128}));
}

TEST(Brush, BlendsTheChromaOfTheFieldThatARowIsIn) {
  Interlaced picture(16);
  const std::vector<std::uint8_t> row(16, 255);
  Brush(picture.view).blend({{0, 8, 16, 1}, row}, kRed);
  EXPECT_EQ(picture.red(), (std::vector<int>{128, 128, 128, 128, 184, 128, 128, 128}))
      << "one of the two rows of the sample is covered";
  const std::vector<std::uint8_t> all(16 * 16, 255);
  Brush(picture.view).blend({{0, 0, 16, 16}, all}, kRed);
  EXPECT_EQ(picture.red(), std::vector<int>(8, 240));
}

TEST(Brush, DrawsInInterlacedFramesOfAnyHeight) {
  for (int height = 1; height < 12; ++height) {
    SCOPED_TRACE(height);
    Interlaced picture(height);
    const std::vector<std::uint8_t> all(16 * static_cast<std::size_t>(height), 255);
    Brush(picture.view).blend({{0, 0, 16, height}, all}, kRed);
    for (const int red : picture.red()) EXPECT_EQ(red, 240);
  }
}

}  // namespace
}  // namespace elf
