// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/box.h"

#include <gtest/gtest.h>

#include <limits>

namespace elf {
namespace {

TEST(Box, IouOfTouchingBoxesIsZero) {
  EXPECT_EQ(iou({0, 0, 10, 10}, {10, 0, 20, 10}), 0.0);
}

TEST(Box, IouIsTheSharedPartOfTheUnion) {
  EXPECT_DOUBLE_EQ(iou({0, 0, 10, 10}, {5, 0, 15, 10}), 50.0 / 150.0);
}

TEST(Size, GrowsToSquarePixels) {
  EXPECT_EQ((Size{720, 576}.withSquarePixels(1)), (Size{720, 576}));
  EXPECT_EQ((Size{720, 576}.withSquarePixels(16.0 / 11)), (Size{1047, 576}));
  EXPECT_EQ((Size{720, 480}.withSquarePixels(8.0 / 9)), (Size{720, 540}));
  EXPECT_EQ((Size{1, 1}.withSquarePixels(4)), (Size{4, 1}));
}

TEST(Box, WithANotANumberIsEmpty) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE((Box{nan, 0, 1, 1}).empty());
  EXPECT_EQ((Box{nan, 0, 1, 1}).area(), 0.0);
}

TEST(Box, RoundOutwardsCoversTheBoxAndStaysInsideTheFrame) {
  EXPECT_EQ(roundOutwards({-3.5F, 1.2F, 4.1F, 99.0F}, {8, 10}), (Rect{0, 1, 5, 9}));
}

}  // namespace
}  // namespace elf
