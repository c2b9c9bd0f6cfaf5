// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/capacity/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace elf {
namespace {

TEST(CostEstimator, StartsWithTheDefaultModel) {
  const CostModel model = CostEstimator().model();
  EXPECT_NEAR(model.a, CostModel().a, 1e-9);
  EXPECT_NEAR(model.b, CostModel().b, 1e-12);
}

TEST(CostEstimator, FindsTheLineThatTheAnswersLieOn) {
  CostEstimator estimator;
  for (int i = 1; i <= 200; ++i) {
    const double pixels = 10000.0 * (i % 40 + 1);
    estimator.add(pixels, 0.002 + 4e-7 * pixels);
  }
  EXPECT_NEAR(estimator.model().a, 0.002, 2e-4);
  EXPECT_NEAR(estimator.model().b, 4e-7, 1e-8);
}

TEST(CostEstimator, FollowsAServerThatBecomesSlower) {
  CostEstimator estimator;
  for (int i = 0; i < 100; ++i) estimator.add(100000.0 + 1000.0 * (i % 10), 0.01);
  for (int i = 0; i < 100; ++i) estimator.add(100000.0 + 1000.0 * (i % 10), 0.05);
  EXPECT_NEAR(estimator.model().seconds(105000), 0.05, 0.005);
}

TEST(CostEstimator, NeverYieldsANegativeCoefficient) {
  CostEstimator falling;
  for (int i = 1; i <= 50; ++i) falling.add(1000.0 * i, 0.1 - 0.001 * i);
  EXPECT_GE(falling.model().b, 0.0);
  CostEstimator steep;
  for (int i = 1; i <= 50; ++i) steep.add(1000.0 * i, std::max(0.0, 0.01 * i - 0.2));
  EXPECT_GE(steep.model().a, 0.0);
}

TEST(CostEstimator, IgnoresNonsense) {
  CostEstimator estimator;
  estimator.add(std::nan(""), 1);
  estimator.add(100, -1);
  estimator.add(100, INFINITY);
  EXPECT_EQ(estimator.answers(), 0U);
}

}  // namespace
}  // namespace elf
