// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/capacity/cost_estimator.h"

#include <gtest/gtest.h>

#include <cmath>

#include "elf/base/random.h"

namespace elf {
namespace {

/** A server and its link, whose times spread by a tenth. */
class Server {
 public:
  double perRequest = 0.01, perPixel = 4e-7;
  double latency = 0.002, perByte = 1e-6;
  bool tells = true;

  AnswerCost answer(double pixels, double bytes) {
    const double work = (perRequest + perPixel * pixels) * noise();
    AnswerCost answer{.pixels = pixels, .bytes = bytes};
    answer.seconds = work + (latency + perByte * bytes) * noise();
    if (tells) answer.work = work;
    return answer;
  }
  /** Of a part as a video has them: a fourth of a byte for a pixel, more or less. */
  AnswerCost answer() {
    const double pixels = random_.uniform(1e4, 3e5);
    return answer(pixels, pixels * random_.uniform(0.15, 0.35));
  }
  /** Nearly the same part each time. */
  AnswerCost sameAnswer() {
    return answer(1e5 * random_.uniform(0.99, 1.01), 25e3 * random_.uniform(0.99, 1.01));
  }
  double seconds(double pixels, double bytes) const {
    return perRequest + perPixel * pixels + latency + perByte * bytes;
  }

 private:
  double noise() { return std::exp(0.1 * random_.normal()); }
  Random random_{7};
};

class CostEstimatorTest : public ::testing::TestWithParam<bool> {
 protected:
  CostEstimatorTest() { server_.tells = GetParam(); }

  /** What elf/servers/probe.h sends. */
  void probe() {
    estimator_.add(server_.answer(4096, 1200));
    estimator_.add(server_.answer(36864, 1200));
    estimator_.add(server_.answer(36864, 32768));
  }
  void answer(int count) {
    for (int i = 0; i < count; ++i) estimator_.add(server_.answer());
  }
  /** How far the model is off, as a share of the truth. */
  double error(double pixels, double bytes) const {
    return estimator_.model().seconds(pixels, bytes) / server_.seconds(pixels, bytes) - 1;
  }

  Server server_;
  CostEstimator estimator_;
};

INSTANTIATE_TEST_SUITE_P(Account, CostEstimatorTest, ::testing::Bool(),
                         [](const auto& tells) { return tells.param ? "Told" : "Untold"; });

TEST_P(CostEstimatorTest, IsTheDefaultModelBeforeTheFirstAnswer) {
  EXPECT_EQ(estimator_.model(), CostModel());
}

TEST_P(CostEstimatorTest, TheFirstAnswerSaysWhatAPartLikeItCosts) {
  const AnswerCost answer = server_.answer(1e5, 25e3);
  estimator_.add(answer);
  EXPECT_NEAR(estimator_.model().seconds(1e5, 25e3), answer.seconds, 0.01 * answer.seconds);
  EXPECT_GT(estimator_.model().seconds(2e5, 5e4), estimator_.model().seconds(1e5, 25e3));
}

TEST_P(CostEstimatorTest, AProbeTellsAllThreeCoefficients) {
  probe();
  EXPECT_NEAR(estimator_.model().a, 0.012, 0.003);
  EXPECT_NEAR(estimator_.model().b, 4e-7, 1.2e-7);
  EXPECT_NEAR(estimator_.model().c, 1e-6, 3e-7);
}

TEST_P(CostEstimatorTest, AnswersAboutManySizesMakeItExact) {
  probe();
  answer(200);
  EXPECT_NEAR(estimator_.model().a, 0.012, 0.0025);
  EXPECT_NEAR(estimator_.model().b, 4e-7, 6e-8);
  EXPECT_NEAR(estimator_.model().c, 1e-6, 2.5e-7);
  for (const double pixels : {1e4, 1e5, 3e5}) EXPECT_LT(std::abs(error(pixels, pixels / 4)), 0.08);
}

TEST_P(CostEstimatorTest, ASlowLinkIsNoSlowServer) {
  probe();
  answer(30);
  const CostModel before = estimator_.model();
  server_.perByte *= 4;
  server_.latency *= 4;
  answer(60);
  EXPECT_NEAR(estimator_.model().c, 4e-6, GetParam() ? 4e-7 : 1e-6);
  EXPECT_NEAR(estimator_.model().b, before.b, (GetParam() ? 0.1 : 0.4) * before.b);
}

TEST_P(CostEstimatorTest, ASlowServerIsNoSlowLink) {
  probe();
  answer(30);
  const CostModel before = estimator_.model();
  server_.perPixel *= 4;
  server_.perRequest *= 4;
  answer(60);
  EXPECT_NEAR(estimator_.model().b, 1.6e-6, GetParam() ? 1e-7 : 2.5e-7);
  EXPECT_NEAR(estimator_.model().c, before.c, (GetParam() ? 0.1 : 1.5) * before.c);
}

TEST_P(CostEstimatorTest, WithoutAProbeTheSumIsRight) {
  answer(60);
  for (const double pixels : {2e4, 1e5, 3e5}) EXPECT_LT(std::abs(error(pixels, pixels / 4)), 0.1);
}

TEST_P(CostEstimatorTest, OneAnswerThatTookTenTimesAsLongHardlyMovesIt) {
  probe();
  answer(100);
  const double before = estimator_.model().seconds(1e5, 25e3);
  AnswerCost spike = server_.answer(1e5, 25e3);
  spike.seconds *= 10;
  if (spike.work) *spike.work *= 10;
  estimator_.add(spike);
  EXPECT_NEAR(estimator_.model().seconds(1e5, 25e3), before, 0.025 * before);
}

TEST_P(CostEstimatorTest, AServerThatBecomesTwiceAsSlowIsKnownToBeAfterTwentyAnswers) {
  probe();
  answer(100);
  server_.perRequest *= 2;
  server_.perPixel *= 2;
  server_.latency *= 2;
  server_.perByte *= 2;
  answer(20);
  EXPECT_LT(std::abs(error(1e5, 25e3)), 0.1);
  EXPECT_LT(std::abs(error(3e5, 75e3)), 0.15);
}

TEST_P(CostEstimatorTest, WhatAProbeToldIsNotForgottenWhileAllPartsAreAlike) {
  probe();
  for (int i = 0; i < 300; ++i) estimator_.add(server_.sameAnswer());
  EXPECT_LT(std::abs(error(1e5, 25e3)), 0.05);
  EXPECT_LT(std::abs(error(3e5, 75e3)), 0.2);
  EXPECT_LT(std::abs(error(3e4, 7e3)), 0.2);
}

TEST_P(CostEstimatorTest, NoCoefficientIsNegative) {
  // Smaller parts take longer: no line with a slope above 0 does that.
  for (int i = 1; i <= 50; ++i) {
    AnswerCost answer{.pixels = 1000.0 * i, .bytes = 300.0 * i, .seconds = 0.2 - 0.002 * i};
    if (server_.tells) answer.work = answer.seconds / 2;
    estimator_.add(answer);
    EXPECT_GE(estimator_.model().a, 0);
    EXPECT_GE(estimator_.model().b, 0);
    EXPECT_GE(estimator_.model().c, 0);
  }
  EXPECT_NEAR(estimator_.model().seconds(38000, 11400), 0.124, 0.03);
}

TEST_P(CostEstimatorTest, AnswersInNoTimeMakeAModelOfNothing) {
  for (int i = 0; i < 40; ++i) {
    AnswerCost answer{.pixels = 1e5, .bytes = 25e3};
    if (server_.tells) answer.work = 0;
    estimator_.add(answer);
  }
  EXPECT_NEAR(estimator_.model().seconds(1e5, 25e3), 0, 1e-4);
  answer(24);
  EXPECT_LT(std::abs(error(1e5, 25e3)), 0.1);
}

TEST_P(CostEstimatorTest, IgnoresNonsense) {
  const double nan = std::nan("");
  for (const AnswerCost& answer :
       {AnswerCost{0, 1, 1, {}}, AnswerCost{nan, 1, 1, {}}, AnswerCost{1, -1, 1, {}},
        AnswerCost{1, 1, -1, {}}, AnswerCost{1, 1, INFINITY, {}}, AnswerCost{1, 1, 1, nan},
        AnswerCost{1, 1, 1, -1}, AnswerCost{1, 1, 1, 2}})
    estimator_.add(answer);
  EXPECT_EQ(estimator_.answers(), 0U);
  EXPECT_EQ(estimator_.model(), CostModel());
}

}  // namespace
}  // namespace elf
