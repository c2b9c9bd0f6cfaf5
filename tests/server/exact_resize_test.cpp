// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/exact_resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <opencv2/imgproc.hpp>
#include <random>

namespace elf {
namespace {

TEST(ExactResize, APartIsToTheBitThatPartOfTheResizedFrame) {
  std::mt19937 random(1);
  const auto upTo = [&](int most) {
    return static_cast<int>(random() % static_cast<unsigned>(most));
  };
  int pixels = 0;
  for (int round = 0; round < 200; ++round) {
    cv::Mat frame(2 + upTo(300), 2 + upTo(300), CV_8UC3);
    cv::randu(frame, 0, 256);
    const double scale = std::pow(1.05, upTo(30));
    const cv::Size resized(std::max(1, cvRound(frame.cols / scale)),
                           std::max(1, cvRound(frame.rows / scale)));
    cv::Mat whole;
    cv::resize(frame, whole, resized, 0, 0, cv::INTER_LINEAR_EXACT);

    const int x = upTo(frame.cols), y = upTo(frame.rows);
    const cv::Mat part = frame(cv::Rect(x, y, 1 + upTo(frame.cols - x), 1 + upTo(frame.rows - y)));
    const auto [left, right] = madeOf(x, x + part.cols, frame.cols, resized.width);
    const auto [top, bottom] = madeOf(y, y + part.rows, frame.rows, resized.height);
    if (left == right || top == bottom) continue;
    const cv::Rect region(left, top, right - left, bottom - top);
    cv::Mat piece, difference;
    resizePart(part, {x, y, {frame.cols, frame.rows}}, resized, region, piece);
    cv::absdiff(piece, whole(region), difference);
    EXPECT_EQ(cv::countNonZero(difference.reshape(1)), 0) << "round " << round;
    pixels += region.area();
  }
  EXPECT_GT(pixels, 50000);
}

TEST(ExactResize, TheWholeFrameMakesAllOfIt) {
  for (const int resized : {1, 7, 99, 100, 130})
    EXPECT_EQ(madeOf(0, 100, 100, resized), std::make_pair(0, resized));
}

TEST(ExactResize, BeyondThePartItsEdgeIsRepeated) {
  const cv::Mat part(10, 10, CV_8UC3, cv::Scalar(1, 2, 3));
  cv::Mat piece;
  resizePart(part, {50, 50, {200, 200}}, {100, 100}, {0, 0, 100, 100}, piece);
  EXPECT_EQ(piece.at<cv::Vec3b>(0, 99), cv::Vec3b(1, 2, 3));
}

}  // namespace
}  // namespace elf
