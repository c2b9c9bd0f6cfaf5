// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/agreement/statistics.h"

#include <gtest/gtest.h>

namespace elf::eval {
namespace {

TEST(Statistics, APercentileIsTheNearestRank) {
  const std::vector<double> five = {15, 20, 35, 40, 50};
  EXPECT_EQ(percentile(five, 0), 15);
  EXPECT_EQ(percentile(five, 5), 15);
  EXPECT_EQ(percentile(five, 30), 20);
  EXPECT_EQ(percentile(five, 40), 20);
  EXPECT_EQ(percentile(five, 50), 35);
  EXPECT_EQ(percentile(five, 95), 50);
  EXPECT_EQ(percentile(five, 100), 50);
}

TEST(Statistics, TheMedianOfAnEvenNumberIsTheLowerOfTheMiddleTwo) {
  EXPECT_EQ(summarise({4, 1, 3, 2}).p50, 2);
}

TEST(Statistics, NinetyFiveOfAHundredValuesAreAtMostP95) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  const Summary summary = summarise(values);
  EXPECT_EQ(summary.p95, 95);
  EXPECT_EQ(summary.p50, 50);
  EXPECT_DOUBLE_EQ(summary.mean, 50.5);
}

TEST(Statistics, OneValueIsAllThree) {
  const Summary summary = summarise({7});
  EXPECT_EQ(summary.mean, 7);
  EXPECT_EQ(summary.p50, 7);
  EXPECT_EQ(summary.p95, 7);
}

TEST(Statistics, NoValuesAreAllZero) {
  const Summary summary = summarise({});
  EXPECT_EQ(summary.mean, 0);
  EXPECT_EQ(summary.p50, 0);
  EXPECT_EQ(summary.p95, 0);
}

}  // namespace
}  // namespace elf::eval
