// SPDX-License-Identifier: LGPL-2.1-or-later
// What is kept of pictures for people to look at.
#include "elf/server/last_picture.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

namespace elf {
namespace {

class LastPictureTest : public ::testing::Test {
 protected:
  /** A picture in one blue. */
  void show(Size size, std::size_t found = 0, std::chrono::milliseconds after = {}) {
    const cv::Mat pixels(size.height, size.width, CV_8UC3, cv::Scalar(200, 20, 10));
    picture_.show({.format = PixelFormat::BGR,
                   .size = size,
                   .planes = {pixels.data},
                   .strides = {static_cast<int>(pixels.step)}},
                  std::vector<Detection>(found), start_ + after);
  }
  cv::Mat decoded() const { return cv::imdecode(picture_.last()->jpeg, cv::IMREAD_COLOR); }

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  LastPicture picture_;
};

TEST_F(LastPictureTest, IsSmallAndHasItsColours) {
  EXPECT_EQ(picture_.last(), nullptr);
  show({1920, 1080});
  EXPECT_EQ(picture_.last()->size, (Size{1920, 1080}));
  ASSERT_EQ(decoded().size(), cv::Size(320, 180));
  const auto pixel = decoded().at<cv::Vec3b>(90, 160);
  EXPECT_NEAR(pixel[0], 200, 4);
  EXPECT_NEAR(pixel[1], 20, 4);
  EXPECT_NEAR(pixel[2], 10, 4);
}

TEST_F(LastPictureTest, BoundsTheLongerSideOfAnyShape) {
  const std::pair<Size, cv::Size> cases[] = {{{200, 100}, {200, 100}},
                                             {{600, 1200}, {160, 320}},
                                             {{1, 40000}, {1, 320}},
                                             {{40000, 1}, {320, 1}}};
  std::chrono::milliseconds at{};
  for (const auto& [size, shown] : cases) {
    show(size, 0, at);
    EXPECT_EQ(decoded().size(), shown);
    at += LastPicture::kInterval;
  }
}

TEST_F(LastPictureTest, IsMadeAtMostTwiceASecond) {
  show({10, 10}, 1);
  show({20, 20}, 2, LastPicture::kInterval - std::chrono::milliseconds(1));
  EXPECT_EQ(picture_.last()->size, (Size{10, 10}));
  EXPECT_EQ(picture_.last()->found.size(), 1U);
  show({20, 20}, 2, LastPicture::kInterval);
  EXPECT_EQ(picture_.last()->size, (Size{20, 20}));
  EXPECT_EQ(picture_.last()->found.size(), 2U);
}

TEST_F(LastPictureTest, ShowsNoMoreThanSoManyBoxes) {
  show({10, 10}, 5 * LastPicture::kMostFound);
  EXPECT_EQ(picture_.last()->found.size(), LastPicture::kMostFound);
}

}  // namespace
}  // namespace elf
