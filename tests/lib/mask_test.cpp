// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/mask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "elf/base/random.h"

namespace elf {
namespace {

/** Rows of '#' and '.', the first pixel at (x, y). */
Mask drawn(int x, int y, const std::vector<std::string_view>& rows) {
  std::vector<std::uint8_t> pixels;
  for (const std::string_view row : rows)
    for (const char pixel : row) pixels.push_back(pixel == '#');
  return {{x, y, static_cast<int>(rows[0].size()), static_cast<int>(rows.size())},
          std::move(pixels)};
}

Mask random(Random& random, const Rect& rect) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(rect.area()));
  const double share = random.uniform(0, 1);
  for (std::uint8_t& pixel : pixels) pixel = random.uniform(0, 1) < share;
  return {rect, std::move(pixels)};
}

TEST(Mask, WhatIsNotZeroIsOfTheObject) {
  const Mask mask({0, 0, 2, 1}, {255, 0});
  EXPECT_EQ(mask, Mask({0, 0, 2, 1}, {1, 0}));
  EXPECT_EQ(mask.area(), 1);
}

TEST(Mask, OfMoreOrFewerPixelsThanItsRectangleIsNone) {
  EXPECT_THROW(Mask({0, 0, 2, 2}, {1, 1, 1}), std::invalid_argument);
  EXPECT_THROW(Mask({0, 0, 1, 1}, {1, 1}), std::invalid_argument);
}

TEST(Mask, RunsBeginWithWhatIsNotOfTheObject) {
  const Mask mask = drawn(0, 0, {"..##", "##.."});
  EXPECT_EQ(runLengths(mask), (std::vector<std::uint32_t>{2, 4, 2}));
  EXPECT_EQ(runLengths(drawn(5, 5, {"##"})), (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(runLengths(drawn(5, 5, {".."})), (std::vector<std::uint32_t>{2}));
  EXPECT_TRUE(runLengths(Mask()).empty());
}

TEST(Mask, ARunOfMoreThan127IsOfTwoBytes) {
  const Mask mask({0, 0, 20, 10}, std::vector<std::uint8_t>(200, 1));
  EXPECT_EQ(toRuns(mask), (std::vector<std::uint8_t>{0, 0xC8, 0x01}));
}

TEST(Mask, WhatIsSentComesBackToThePixel) {
  Random numbers(1);
  for (int i = 0; i < 300; ++i) {
    const Rect rect{
        static_cast<int>(numbers.uniform(0, 50)), static_cast<int>(numbers.uniform(0, 50)),
        static_cast<int>(numbers.uniform(0, 40)), static_cast<int>(numbers.uniform(0, 40))};
    const Mask mask = random(numbers, rect);
    EXPECT_EQ(fromRuns(toRuns(mask), rect), mask);
    EXPECT_EQ(fromRunLengths(runLengths(mask), rect), mask);
  }
}

TEST(Mask, RunsThatAreNotThoseOfTheRectangleAreNone) {
  const Rect rect{0, 0, 4, 2};
  for (const std::vector<std::uint8_t>& wrong :
       std::vector<std::vector<std::uint8_t>>{{},
                                              {7},
                                              {9},
                                              {4, 5},
                                              {0x88},
                                              {0x88, 0x80, 0x80, 0x80, 0x80, 0x80},
                                              {0x88, 0x80, 0x80, 0x80, 0x10},
                                              {8, 0, 1}})
    EXPECT_FALSE(fromRuns(wrong, rect));
  EXPECT_TRUE(fromRuns(std::vector<std::uint8_t>{4, 4}, rect));
}

TEST(Mask, MovedItSharesItsPixels) {
  const Mask mask = drawn(2, 3, {"#.", ".#"});
  const Mask moved = mask.shifted(10, 20);
  EXPECT_EQ(moved, drawn(12, 23, {"#.", ".#"}));
  EXPECT_EQ(moved.row(23).data(), mask.row(3).data());
}

TEST(Mask, OverAnotherRectangleItIsCutAndFilledUp) {
  const Mask mask = drawn(1, 1, {"##", "##"});
  EXPECT_EQ(mask.over({0, 0, 3, 2}), drawn(0, 0, {"...", ".##"}));
  EXPECT_EQ(mask.over({5, 5, 1, 1}), drawn(5, 5, {"."}));
}

TEST(Mask, TwoBecomeWhatIsOfEither) {
  EXPECT_EQ(unite(drawn(0, 0, {"##", "#."}), drawn(1, 1, {"##"}), {0, 0, 4, 2}),
            drawn(0, 0, {"##..", "###."}));
}

TEST(Mask, OfTwiceTheSizeEachPixelIsFour) {
  EXPECT_EQ(drawn(1, 0, {"#.", ".#"}).resampled(2, 2, {2, 0, 4, 4}),
            drawn(2, 0, {"##..", "##..", "..##", "..##"}));
}

TEST(Mask, AgreementIsThatOfThePixels) {
  const Mask mask = drawn(0, 0, {"####"});
  EXPECT_DOUBLE_EQ(iou(mask, mask), 1);
  EXPECT_DOUBLE_EQ(iou(mask, drawn(2, 0, {"####"})), 2.0 / 6);
  EXPECT_DOUBLE_EQ(iou(mask, drawn(4, 0, {"####"})), 0);
  EXPECT_DOUBLE_EQ(iou(Mask(), Mask()), 0);
  EXPECT_DOUBLE_EQ(iou(drawn(0, 0, {"..", "##"}), drawn(1, 1, {"#.", "##"})), 1.0 / 4);
}

}  // namespace
}  // namespace elf
