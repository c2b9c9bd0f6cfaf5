// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/padding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

namespace elf {
namespace {

constexpr Size kFrame{1242, 375};
constexpr double kLeastInside = 0.95;

Detection found(Identity id, const Box& box) {
  return {.box = box, .score = 1, .id = id};
}

bool covered(const Box& object, const Rp& rp) {
  return intersect(clip(object, kFrame), rp.box).area() >=
         kLeastInside * clip(object, kFrame).area();
}

/** A video whose predictions are off by errors that are drawn. */
class Video {
 public:
  using Error = std::function<double(std::mt19937_64&)>;

  /** Its errors are `error` times `size` pixels; the predictor thinks they are of 2 pixels. */
  explicit Video(Error error) : error_(std::move(error)) {}

  /** Runs so many frames of ten objects; returns the share that lay in their RPs. */
  double run(PaddingCalibrator& calibrator, int frames, double size = 2, int horizon = 1) {
    int inside = 0;
    for (int frame = 0; frame < frames; ++frame) {
      std::vector<Prediction> predictions;
      std::vector<Detection> detections;
      for (Identity id = 1; id <= kObjects; ++id) {
        const auto x = 20 + 110 * static_cast<float>(id - 1);
        const Box box{x, 100, x + 80, 160};
        predictions.push_back({id, box, {2, 2, 2, 2}});
        const auto off = [&] { return static_cast<float>(size * error_(random_)); };
        const auto dx = off();
        const auto dy = off();
        detections.push_back(
            found(id, {box.x0 + dx, box.y0 + dy, box.x1 + dx + off(), box.y1 + dy + off()}));
      }
      const std::vector<Rp> rps =
          makeRps(predictions, History(), kFrame, calibrator.padding(horizon));
      for (std::size_t i = 0; i < rps.size(); ++i) inside += covered(detections[i].box, rps[i]);
      calibrator.observe(predictions, {}, detections, horizon, kFrame);
    }
    return static_cast<double>(inside) / (frames * kObjects);
  }

 private:
  static constexpr int kObjects = 10;
  Error error_;
  std::mt19937_64 random_{1};
};

double gaussian(std::mt19937_64& random) {
  return std::normal_distribution<double>()(random);
}

/** Student's t with three degrees of freedom, whose fourth moment is infinite. */
double heavyTailed(std::mt19937_64& random) {
  return std::student_t_distribution<double>(3)(random);
}

/** One object that is expected in the middle of the frame, and unsure by 2 pixels. */
const std::vector<Prediction> kOne{{7, {600, 100, 700, 200}, {2, 2, 2, 2}}};

/** The factor at the least coverage after so many times the same. */
double factorAfter(const Detection& detection, bool withRps = false, double used = 3) {
  PaddingCalibrator calibrator(0.9);
  const std::vector<Rp> rps =
      withRps ? makeRps(kOne, History(), kFrame, PaddingCalibrator::scaled(used))
              : std::vector<Rp>{};
  for (int i = 0; i < 200; ++i) calibrator.observe(kOne, rps, std::vector{detection}, 1, kFrame);
  return calibrator.factor(1);
}

class Coverage : public ::testing::TestWithParam<std::tuple<Video::Error, double>> {};

INSTANTIATE_TEST_SUITE_P(Errors, Coverage,
                         ::testing::Combine(::testing::Values(gaussian, heavyTailed),
                                            ::testing::Values(0.8, 0.9, 0.95, 0.98, 0.99)));

TEST_P(Coverage, IsReachedWhateverTheDistributionOfTheErrors) {
  const auto& [error, coverage] = GetParam();
  PaddingCalibrator calibrator(coverage);
  Video video(error);
  video.run(calibrator, 20);
  EXPECT_NEAR(video.run(calibrator, 2000), coverage, 0.01);
}

TEST(PaddingCalibrator, AdaptsWhenErrorsDoubleAndWhenTheyAreHalvedAgain) {
  PaddingCalibrator calibrator(0.95);
  Video video(gaussian);
  video.run(calibrator, 200);
  const double before = calibrator.factor(1);
  EXPECT_LT(video.run(calibrator, 5, 4), 0.9) << "nobody could know";
  video.run(calibrator, 200, 4);
  EXPECT_GT(calibrator.factor(1), 1.5 * before);
  EXPECT_NEAR(video.run(calibrator, 1000, 4), 0.95, 0.01);
  video.run(calibrator, 200);
  EXPECT_NEAR(calibrator.factor(1), before, 0.2 * before);
}

TEST(PaddingCalibrator, IsSaneBeforeAnythingWasObserved) {
  for (const int horizon : {1, 2, 3, 4, 5, 9, 100}) {
    EXPECT_NEAR(PaddingCalibrator().factor(horizon), 3.2, 0.1) << horizon;
    EXPECT_GT(PaddingCalibrator(0.5).factor(horizon), 0.3) << horizon;
    EXPECT_LT(PaddingCalibrator(0.999).factor(horizon), 5) << horizon;
  }
}

TEST(PaddingCalibrator, IsNotLedAstrayByItsFirstScore) {
  PaddingCalibrator calibrator;
  const double before = calibrator.factor(1);
  calibrator.observe(kOne, {}, std::vector{found(7, {0, 0, 100, 100})}, 1, kFrame);
  EXPECT_LT(calibrator.factor(1), 1.5 * before);
  calibrator.forget();
  calibrator.observe(kOne, {}, std::vector{found(7, kOne[0].box)}, 1, kFrame);
  EXPECT_NEAR(calibrator.factor(1), before, 0.5);
}

TEST(PaddingCalibrator, TheFactorGrowsWithTheCoverage) {
  PaddingCalibrator fresh;
  PaddingCalibrator learned;
  Video(heavyTailed).run(learned, 300);
  for (PaddingCalibrator* calibrator : {&fresh, &learned}) {
    calibrator->setCoverage(0.9);
    const double less = calibrator->factor(1);
    calibrator->setCoverage(0.98);
    EXPECT_GT(calibrator->factor(1), less);
    double last = 0;
    for (const double coverage : {0.5, 0.7, 0.9, 0.95, 0.98, 0.99, 0.999}) {
      calibrator->setCoverage(coverage);
      EXPECT_GE(calibrator->factor(1), last) << coverage;
      last = calibrator->factor(1);
    }
  }
}

TEST(PaddingCalibrator, TheScoreIsTheLeastFactorThatCovers) {
  // 20 of 100 pixels lie outside on the right, of which 5 may; a unit is 2 + 0.5 + 0.5 pixels.
  EXPECT_NEAR(factorAfter(found(7, {620, 100, 720, 200})), 15.0 / 3, 0.1);
  EXPECT_EQ(factorAfter(found(7, {610, 110, 690, 190})), 0) << "inside without padding";
  EXPECT_EQ(factorAfter(found(7, {0, 0, 50, 50})), PaddingCalibrator::kMostFactor);
}

TEST(PaddingCalibrator, AnObjectMayLieInTheRpOfAnother) {
  const Detection elsewhere = found(7, {300, 100, 400, 200});
  const Prediction other{8, {295, 95, 405, 205}, {2, 2, 2, 2}};
  PaddingCalibrator calibrator(0.9);
  for (int i = 0; i < 200; ++i)
    calibrator.observe(std::vector{kOne.front(), other}, {}, std::vector{elsewhere}, 1, kFrame);
  EXPECT_EQ(calibrator.factor(1), 0);
}

TEST(PaddingCalibrator, WhatLiesOutsideTheFrameNeedsNoPadding) {
  PaddingCalibrator calibrator(0.9);
  const std::vector<Prediction> atEdge{{7, {1200, 100, 1240, 200}, {2, 2, 2, 2}}};
  for (int i = 0; i < 200; ++i)
    calibrator.observe(atEdge, {}, std::vector{found(7, {1202, 100, 1400, 200})}, 1, kFrame);
  EXPECT_LT(calibrator.factor(1), 0.1);
}

TEST(PaddingCalibrator, ACertainPredictorIsPaddedToo) {
  PaddingCalibrator calibrator;
  const Prediction certain{7, {600, 100, 700, 300}, {}};
  const Box box = padded(certain, calibrator.padding(1));
  const auto factor = static_cast<float>(calibrator.factor(1));
  EXPECT_NEAR(certain.box.x0 - box.x0, factor * (0.5F + 0.5F), 1e-3);
  EXPECT_NEAR(box.y1 - certain.box.y1, factor * (0.5F + 1), 1e-3);
}

TEST(PaddingCalibrator, ABoxThatItsRpCutWidensThePadding) {
  // The RP with factor 3 ends at 600 - 9 and 700 + 9.
  const Detection cut = found(7, {620, 100, 709, 200});
  EXPECT_NEAR(factorAfter(cut, true), 4.5, 1e-3);
  EXPECT_LT(factorAfter(cut, false), 3);
  EXPECT_LT(factorAfter(found(7, {620, 100, 707, 200}), true), 3) << "it ends before the edge";
  EXPECT_LT(factorAfter(found(7, {620, 100, 712, 200}), true), 3) << "somebody saw beyond";
}

TEST(PaddingCalibrator, ABoxThatEndsWithTheFrameWasNotCut) {
  const std::vector<Prediction> atEdge{{7, {1200, 100, 1240, 200}, {2, 2, 2, 2}}};
  const std::vector<Rp> rps = makeRps(atEdge, History(), kFrame, PaddingCalibrator::scaled(3));
  ASSERT_EQ(rps.front().box.x1, 1242);
  PaddingCalibrator calibrator(0.9);
  for (int i = 0; i < 200; ++i)
    calibrator.observe(atEdge, rps, std::vector{found(7, {1200, 100, 1242, 200})}, 1, kFrame);
  EXPECT_LT(calibrator.factor(1), 1);
}

TEST(PaddingCalibrator, LearnsNothingFromWhatWasNotPredictedOrNotSeen) {
  PaddingCalibrator calibrator;
  const double before = calibrator.factor(1);
  const Box far{0, 0, 100, 100};
  Detection coasted = found(7, far);
  coasted.coasted = true;
  const std::vector<Detection> detections{coasted, found(8, far), found(kNoIdentity, far),
                                          found(7, {2000, 100, 2100, 200})};
  const std::vector<Prediction> gone{{7, {-90, 100, -5, 200}, {}}};
  for (int i = 0; i < 200; ++i) {
    calibrator.observe(kOne, {}, detections, 1, kFrame);
    calibrator.observe({}, {}, std::vector{found(7, far)}, 1, kFrame);
    calibrator.observe(gone, {}, std::vector{found(7, far)}, 1, kFrame);
  }
  EXPECT_EQ(calibrator.factor(1), before);
}

TEST(PaddingCalibrator, HorizonsLearnApart) {
  PaddingCalibrator calibrator(0.9);
  const double before = calibrator.factor(1);
  Video(gaussian).run(calibrator, 100, 20, 6);
  EXPECT_GT(calibrator.factor(5), 2 * before);
  EXPECT_EQ(calibrator.factor(8), calibrator.factor(5));
  for (const int horizon : {1, 2, 3, 4}) EXPECT_EQ(calibrator.factor(horizon), before);
}

TEST(PaddingCalibrator, LongerHorizonsGoByShorterOnesUntilTheyKnowBetter) {
  PaddingCalibrator calibrator(0.9);
  Video(gaussian).run(calibrator, 100, 20, 2);
  EXPECT_NEAR(calibrator.factor(9), calibrator.factor(2), 0.2 * calibrator.factor(2));
  Video(gaussian).run(calibrator, 100, 5, 9);
  const double known = calibrator.factor(9);
  EXPECT_LT(known, 0.5 * calibrator.factor(2));
  Video(gaussian).run(calibrator, 100, 20, 2);
  EXPECT_EQ(calibrator.factor(9), known);
}

TEST(PaddingCalibrator, HorizonsNeedNotBeWholeFrames) {
  PaddingCalibrator calibrator(0.9);
  Video(gaussian).run(calibrator, 100, 20, 2);
  EXPECT_EQ(calibrator.factor(1.6), calibrator.factor(2));
  EXPECT_EQ(calibrator.factor(2.4), calibrator.factor(2));
  EXPECT_NE(calibrator.factor(1.4), calibrator.factor(2));
}

TEST(PaddingCalibrator, ForgetsAllWhenTold) {
  PaddingCalibrator calibrator;
  Video(gaussian).run(calibrator, 100, 20);
  EXPECT_NE(calibrator.factor(1), PaddingCalibrator().factor(1));
  calibrator.forget();
  EXPECT_EQ(calibrator.factor(1), PaddingCalibrator().factor(1));
}

TEST(PaddingCalibrator, AFrameThatComesBackWhenItWasAnsweredTeachesNothing) {
  PaddingCalibrator calibrator;
  const double factor = calibrator.factor(1);
  const Box box{100, 100, 180, 160};
  const std::vector<Prediction> predictions{{1, box, {2, 2, 2, 2}}};
  const std::vector<Detection> far{found(1, {600, 100, 680, 160})};
  for (const int horizon : {0, -1, std::numeric_limits<int>::min()}) {
    for (int i = 0; i < 200; ++i) calibrator.observe(predictions, {}, far, horizon, kFrame);
    EXPECT_EQ(calibrator.factor(horizon), factor);
    EXPECT_EQ(calibrator.padding(horizon).deviations, factor);
  }
  for (int i = 0; i < 200; ++i) calibrator.observe(predictions, {}, far, 1, kFrame);
  EXPECT_GT(calibrator.factor(0), factor) << "below 1 counts as 1";
}

}  // namespace
}  // namespace elf
