// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/rotated_box.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numbers>
#include <random>

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

TEST(ProbabilisticIou, OfTwoOfOneShapeIsWhatTheDistanceAlongASideMakesOfIt) {
  // The Bhattacharyya distance is 12 d^2 / 8 w^2, by hand.
  const double distance = 1.5 * 10 * 10 / (30 * 30);
  EXPECT_NEAR(probabilisticIou({0, 0, 30, 10, 0}, {10, 0, 30, 10, 0}),
              1 - std::sqrt(1 - std::exp(-distance)), 1e-4);
}

TEST(ProbabilisticIou, IsNeverBelowNothing) {
  EXPECT_EQ(probabilisticIou({50, 40, 30, 10, 0.3F}, {900, 40, 30, 10, 0.3F}), 0);
  EXPECT_GE(probabilisticIou({0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}), 0);
  EXPECT_GE(probabilisticIou({0, 0, 1e6F, 1e-6F, 0}, {0, 0, 1e-6F, 1e6F, 0}), 0);
}

/** Whether a point lies inside, by its distances from the two middle lines. */
bool holds(const RotatedBox& box, double x, double y) {
  const double dx = x - box.centreX, dy = y - box.centreY;
  const double cosine = std::cos(box.angle), sine = std::sin(box.angle);
  return std::abs(dx * cosine + dy * sine) <= box.width / 2.0 &&
         std::abs(dy * cosine - dx * sine) <= box.height / 2.0;
}

/** What a grid of points over both says. */
struct Counted {
  double a = 0, b = 0, both = 0;
  Box hull{1e9F, 1e9F, -1e9F, -1e9F};
};

Counted count(const RotatedBox& a, const RotatedBox& b, double step) {
  Counted counted;
  for (double y = -120; y < 120; y += step)
    for (double x = -120; x < 120; x += step) {
      const bool inA = holds(a, x, y), inB = holds(b, x, y);
      counted.a += inA;
      counted.b += inB;
      counted.both += inA && inB;
      const auto at = Box{static_cast<float>(x), static_cast<float>(y), static_cast<float>(x),
                          static_cast<float>(y)};
      if (inA) counted.hull = unite(counted.hull, at);
    }
  return counted;
}

class RotatedBoxes : public ::testing::Test {
 protected:
  RotatedBox any() {
    const auto from = [this](float least, float most) {
      return std::uniform_real_distribution<float>(least, most)(random_);
    };
    return {from(-30, 30), from(-30, 30), from(5, 80), from(5, 80),
            from(-2 * kQuarter, 2 * kQuarter)};
  }

  std::mt19937 random_{7};
};

TEST_F(RotatedBoxes, TheAngleTurnsClockwiseInPictures) {
  EXPECT_EQ(toRotated({35, 35, 65, 45}), (RotatedBox{50, 40, 30, 10, 0}));
  // 40 long, to the right and a little down: its first side ends below.
  const auto corners = cornersOf({0, 0, 40, 10, 0.3F});
  EXPECT_NEAR(corners[0].x, -20 * std::cos(0.3) + 5 * std::sin(0.3), 1e-5);
  EXPECT_NEAR(corners[0].y, -20 * std::sin(0.3) - 5 * std::cos(0.3), 1e-5);
  EXPECT_GT(corners[1].y, corners[0].y);
  EXPECT_NEAR(corners[2].x, -corners[0].x, 1e-5);
  EXPECT_NEAR(corners[2].y, -corners[0].y, 1e-5);
}

TEST_F(RotatedBoxes, HullAndOverlapAreThoseOfTheirPoints) {
  for (int i = 0; i < 40; ++i) {
    const RotatedBox a = any(), b = any();
    const Counted counted = count(a, b, 0.5);
    expectNear(a.hull(), counted.hull, 3);
    EXPECT_NEAR(overlapOf(a, b).iou, counted.both / (counted.a + counted.b - counted.both), 0.03);
    EXPECT_NEAR(overlapOf(a, b).overSmaller, counted.both / std::min(counted.a, counted.b), 0.03);
    EXPECT_NEAR(overlapOf(a, b).iou, overlapOf(b, a).iou, 1e-6);
  }
}

TEST_F(RotatedBoxes, OverlapIsWhatItIsOfUprightOnesAtAnyAngle) {
  // Two of 40x10, half of which they share: 0.5 / 1.5.
  for (const float angle : {0.0F, 0.3F, 1.0F, kQuarter, -2.0F}) {
    const RotatedBox a{50, 40, 40, 10, angle};
    const RotatedBox b = a.shifted(20 * std::cos(angle), 20 * std::sin(angle));
    EXPECT_NEAR(overlapOf(a, b).iou, 1.0 / 3, 1e-5);
    EXPECT_NEAR(overlapOf(a, b).overSmaller, 0.5, 1e-5);
    EXPECT_NEAR(overlapOf(a, a).iou, 1, 1e-6);
    EXPECT_NEAR(overlapOf(a, {50, 40, 10, 40, angle + kQuarter}).iou, 1, 1e-5)
        << "the same, named otherwise";
    EXPECT_EQ(overlapOf(a, a.shifted(100, 0)).iou, 0);
  }
  // A cross, and a square on its corner within another.
  EXPECT_NEAR(overlapOf(RotatedBox{0, 0, 40, 10, 0.7F}, RotatedBox{0, 0, 10, 40, 0.7F}).iou,
              100.0 / 700, 1e-6);
  EXPECT_NEAR(
      overlapOf(RotatedBox{0, 0, 10, 10, kQuarter / 2}, RotatedBox{0, 0, 20, 20, 0}).overSmaller, 1,
      1e-6);
  EXPECT_EQ(overlapOf(RotatedBox{}, RotatedBox{}).iou, 0);
}

TEST_F(RotatedBoxes, TheOneAroundTwoHoldsBothAtTheAngleOfTheLarger) {
  for (int i = 0; i < 40; ++i) {
    const RotatedBox a = any(), b = any(), both = unite(a, b);
    EXPECT_EQ(both.angle, a.area() >= b.area() ? a.angle : b.angle);
    EXPECT_NEAR(overlapOf(both, a).overSmaller, 1, 1e-4);
    EXPECT_NEAR(overlapOf(both, b).overSmaller, 1, 1e-4);
  }
  // Two that go on: 40 and 30 long, 10 of them both.
  const float c = std::cos(0.5F), s = std::sin(0.5F);
  const RotatedBox joined = unite({20 * c, 20 * s, 40, 8, 0.5F}, {45 * c, 45 * s, 30, 8, 0.5F});
  EXPECT_NEAR(joined.centreX, 30 * c, 1e-4);
  EXPECT_NEAR(joined.centreY, 30 * s, 1e-4);
  EXPECT_NEAR(joined.width, 60, 1e-4);
  EXPECT_NEAR(joined.height, 8, 1e-4);
}

TEST_F(RotatedBoxes, AreScaledWithTheirPicture) {
  const RotatedBox box{10, 20, 40, 10, 0.5F};
  EXPECT_EQ(box.scaled(1, 1), box);
  EXPECT_EQ(box.scaled(2, 2), (RotatedBox{20, 40, 80, 20, 0.5F}));
  // Twice as wide: the first side goes to (2 cos, sin), the other one to (-2 sin, cos).
  const RotatedBox wide = box.scaled(2, 1);
  EXPECT_EQ(wide.centreX, 20);
  EXPECT_EQ(wide.centreY, 20);
  EXPECT_NEAR(wide.width, 40 * std::hypot(2 * std::cos(0.5), std::sin(0.5)), 1e-4);
  EXPECT_NEAR(wide.height, 10 * std::hypot(2 * std::sin(0.5), std::cos(0.5)), 1e-4);
  EXPECT_NEAR(wide.angle, std::atan2(std::sin(0.5), 2 * std::cos(0.5)), 1e-6);
}

TEST_F(RotatedBoxes, ArePossibleWhereTheyAreSomewhereAndNotEmpty) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE((RotatedBox{-10, 10, 40, 10, -7}.possible()));
  for (const RotatedBox& none :
       {RotatedBox{}, RotatedBox{1, 1, 0, 1, 0}, RotatedBox{1, 1, 1, -1, 0},
        RotatedBox{kNan, 1, 1, 1, 0}, RotatedBox{1, kNan, 1, 1, 0}, RotatedBox{1, 1, kNan, 1, 0},
        RotatedBox{1, 1, 1, kNan, 0}, RotatedBox{1, 1, 1, 1, kNan}, RotatedBox{1e9F, 1, 1, 1, 0},
        RotatedBox{1, -1e9F, 1, 1, 0}, RotatedBox{1, 1, 1e9F, 1, 0}, RotatedBox{1, 1, 1, 1e9F, 0}})
    EXPECT_FALSE(none.possible());
}

}  // namespace
}  // namespace elf
