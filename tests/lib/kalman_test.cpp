// SPDX-License-Identifier: LGPL-2.1-or-later
// The predictor `kalman` against OpenCV's Kalman filter, which takes one step for each frame.
#include <gtest/gtest.h>

#include <opencv2/video/tracking.hpp>
#include <random>

#include "elf/predict/predictor.h"

namespace elf {
namespace {

struct Expected {
  double position;
  double deviation;
};

// `seen` holds a side's place in frames 0, 1, ..., NaN where it was not seen.
Expected filtered(const std::vector<double>& seen, int ahead, double size) {
  cv::KalmanFilter filter(2, 1, 0, CV_64F);
  const double q = 0.06 * 0.06 * size * size;
  filter.transitionMatrix = (cv::Mat_<double>(2, 2) << 1, 1, 0, 1);
  filter.measurementMatrix = (cv::Mat_<double>(1, 2) << 1, 0);
  filter.processNoiseCov = (cv::Mat_<double>(2, 2) << q / 3, q / 2, q / 2, q);
  filter.measurementNoiseCov = (cv::Mat_<double>(1, 1) << 0.02 * 0.02 * size * size);
  filter.statePost = (cv::Mat_<double>(2, 1) << seen[0], 0);
  filter.errorCovPost =
      (cv::Mat_<double>(2, 2) << 0.02 * 0.02 * size * size, 0, 0, 0.1 * 0.1 * size * size);
  for (std::size_t frame = 1; frame < seen.size(); ++frame) {
    filter.predict();
    if (std::isnan(seen[frame])) {
      filter.statePost = filter.statePre.clone();
      filter.errorCovPost = filter.errorCovPre.clone();
    } else {
      filter.correct((cv::Mat_<double>(1, 1) << seen[frame]));
    }
  }
  for (int i = 0; i < ahead; ++i) {
    filter.predict();
    filter.statePost = filter.statePre.clone();
    filter.errorCovPost = filter.errorCovPre.clone();
  }
  return {filter.statePre.at<double>(0), std::sqrt(filter.errorCovPre.at<double>(0, 0))};
}

TEST(KalmanPredictor, EqualsOpenCvsOnRandomTracksWithGaps) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> step(-6, 8);
  const auto predictor = RpPredictor::create("kalman");
  for (int round = 0; round < 200; ++round) {
    History history({.length = 8, .coastFrames = 100});
    std::array<std::vector<double>, 4> seen;
    Box box{100, 120, 160, 210};
    int observations = 0;
    const int wanted = 1 + round % 8;
    for (std::uint64_t frame = 0; observations < wanted; ++frame) {
      const float dx = step(random), dy = step(random);
      box = {box.x0 + dx, box.y0 + dy, box.x1 + dx + step(random) / 10, box.y1 + dy};
      const bool visible = frame == 0 || random() % 3 != 0;
      if (visible) ++observations;
      const float sides[] = {box.x0, box.y0, box.x1, box.y1};
      for (std::size_t i = 0; i < 4; ++i)
        seen[i].push_back(visible ? sides[i] : std::numeric_limits<double>::quiet_NaN());
      history.add({.id = frame,
                   .when = {.at = static_cast<double>(frame)},
                   .size = {640, 480},
                   .looked = true,
                   .detections = visible ? std::vector<Detection>{{.box = box, .id = 1}}
                                         : std::vector<Detection>{}});
    }
    const int ahead = 1 + round % 5;
    const auto now = static_cast<double>(*history.lastLooked()) + ahead;
    const Prediction is = predictor->predict(history, {now}).at(0);
    const float sides[] = {is.box.x0, is.box.y0, is.box.x1, is.box.y1};
    const float deviations[] = {is.uncertainty.left, is.uncertainty.top, is.uncertainty.right,
                                is.uncertainty.bottom};
    for (std::size_t i = 0; i < 4; ++i) {
      const Expected expected = filtered(seen[i], ahead, i % 2 == 0 ? box.width() : box.height());
      ASSERT_NEAR(sides[i], expected.position, 1e-4) << round;
      ASSERT_NEAR(deviations[i], expected.deviation, 1e-4) << round;
    }
  }
}

TEST(KalmanPredictor, ABoxNeverTurnsInsideOut) {
  History history;
  history.add({.id = 0, .looked = true, .detections = {{.box = {0, 0, 100, 100}, .id = 1}}});
  history.add({.id = 1,
               .when = {.at = 1},
               .looked = true,
               .detections = {{.box = {40, 40, 60, 60}, .id = 1}}});
  EXPECT_EQ(RpPredictor::create("kalman")->predict(history, {9}).at(0).box, (Box{40, 40, 60, 60}));
}

TEST(KalmanPredictor, GrowsUnsureWithTheHorizon) {
  History history;
  for (std::uint64_t frame = 0; frame < 4; ++frame)
    history.add({.id = frame,
                 .when = {.at = static_cast<double>(frame)},
                 .looked = true,
                 .detections = {{.box = {0, 0, 100, 100}, .id = 1}}});
  const auto predictor = RpPredictor::create("kalman");
  float before = 0;
  for (std::uint64_t frame = 4; frame < 9; ++frame) {
    const float now =
        predictor->predict(history, {static_cast<double>(frame)}).at(0).uncertainty.top;
    EXPECT_GT(now, before);
    before = now;
  }
}

}  // namespace
}  // namespace elf
