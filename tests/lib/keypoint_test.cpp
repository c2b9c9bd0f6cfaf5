// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/keypoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace elf {
namespace {

std::vector<Keypoint> person(float dx = 0) {
  std::vector<Keypoint> joints;
  for (int i = 0; i < 17; ++i)
    joints.push_back({10.0F * static_cast<float>(i) + dx, 5.0F * static_cast<float>(i), 0.9F});
  return joints;
}

TEST(Keypoints, TheSameOnesAreAsSimilarAsCanBe) {
  EXPECT_DOUBLE_EQ(similarity(person(), person(), 10000), 1);
}

TEST(Keypoints, OneOfCocosIsWorthWhatCocoSays) {
  std::vector<Keypoint> a = person(), b = person();
  for (int i = 1; i < 17; ++i) a[i].visibility = 0;
  b[0].x += 3;
  // exp(-d^2 / (2 s^2 k^2)) with k = 2 sigma, sigma = 0.026 for the nose, s^2 the area.
  const double expected = std::exp(-9 / (2 * 10000 * std::pow(2 * 0.026, 2)));
  EXPECT_NEAR(similarity(a, b, 10000), expected, 1e-9);
}

TEST(Keypoints, AJointThatIsNotFoundIsWorthNothingAndOneThatIsNotThereDoesNotCount) {
  std::vector<Keypoint> truth = person(), other = person();
  other[3] = {500, 500, 0.1F};
  EXPECT_DOUBLE_EQ(similarity(truth, other, 10000), 16.0 / 17);
  truth[3].visibility = 0;
  EXPECT_DOUBLE_EQ(similarity(truth, other, 10000), 1);
}

TEST(Keypoints, WithoutAJointToCompareThereIsNoSimilarity) {
  std::vector<Keypoint> unseen = person();
  for (Keypoint& joint : unseen) joint.visibility = 0;
  EXPECT_DOUBLE_EQ(similarity(person(), unseen, 10000), 0);
  EXPECT_DOUBLE_EQ(similarity(unseen, person(), 10000), 0);
  EXPECT_DOUBLE_EQ(similarity({}, {}, 10000), 0);
  EXPECT_DOUBLE_EQ(similarity(person(), {}, 10000), 0);
  EXPECT_DOUBLE_EQ(similarity(person(), person(), 0), 0);
}

TEST(Keypoints, OfTwoListsTheJointThatIsSeenBetterStays) {
  std::vector<Keypoint> a = person(), b = person(7);
  a[2].visibility = 0.2F;
  const auto both = unite(a, b);
  EXPECT_EQ(both[2], b[2]);
  EXPECT_EQ(both[3], a[3]);
  EXPECT_EQ(unite({}, b), b);
  EXPECT_EQ(unite(a, {}), a);
}

}  // namespace
}  // namespace elf
