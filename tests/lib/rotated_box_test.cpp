// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/rotated_box.h"

#include <gtest/gtest.h>

#include <limits>
#include <numbers>

#include "tests/support/near.h"

namespace elf {
namespace {

using testing::expectNear;

constexpr float kQuarter = std::numbers::pi_v<float> / 2;

TEST(RotatedBox, HasTheSmallestUprightBoxAroundIt) {
  EXPECT_EQ((RotatedBox{50, 40, 30, 10, 0}.hull()), (Box{35, 35, 65, 45}));
  for (const float turns : {1.0F, -1.0F, 3.0F})
    expectNear(RotatedBox{50, 40, 30, 10, turns * kQuarter}.hull(), {45, 25, 55, 55}, 1e-4);
  expectNear(RotatedBox{50, 40, 30, 10, 2 * kQuarter}.hull(), {35, 35, 65, 45}, 1e-4);
  const float half = 20 / std::numbers::sqrt2_v<float>;
  for (const float eighth : {kQuarter / 2, -kQuarter / 2})
    expectNear(RotatedBox{50, 40, 30, 10, eighth}.hull(),
               {50 - half, 40 - half, 50 + half, 40 + half}, 1e-4);
  EXPECT_FALSE(
      (RotatedBox{50, 40, 30, 10, std::numeric_limits<float>::quiet_NaN()}.hull().finite()));
}

TEST(ProbabilisticIou, IsWhatUltralyticsComputes) {
  // By probiou() of ultralytics 8.4.190, in double precision.
  EXPECT_NEAR(probabilisticIou({50, 40, 30, 10, 0.3F}, {55, 42, 28, 12, 0.5F}), 0.71361, 1e-4);
  EXPECT_NEAR(probabilisticIou({50, 40, 30, 10, 0.3F}, {50, 40, 30, 10, 0.3F}), 0.99955, 1e-4);
  EXPECT_NEAR(probabilisticIou({0, 0, 100, 10, kQuarter / 2}, {0, 0, 100, 10, -kQuarter / 2}),
              0.10447, 1e-4);
  // The same box, told by its other side.
  EXPECT_NEAR(probabilisticIou({50, 40, 30, 10, 0}, {50, 40, 10, 30, kQuarter}), 0.99955, 1e-4);
}

TEST(ProbabilisticIou, IsNeverBelowNothing) {
  EXPECT_EQ(probabilisticIou({50, 40, 30, 10, 0.3F}, {900, 40, 30, 10, 0.3F}), 0);
  EXPECT_GE(probabilisticIou({0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}), 0);
  EXPECT_GE(probabilisticIou({0, 0, 1e6F, 1e-6F, 0}, {0, 0, 1e-6F, 1e6F, 0}), 0);
}

}  // namespace
}  // namespace elf
