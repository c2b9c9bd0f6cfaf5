// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/whole_frame.h"

#include <gtest/gtest.h>

#include <set>

#include "elf/image/jpeg_encoder.h"
#include "tests/support/made_picture.h"

namespace elf {
namespace {

using elf::testing::MadePicture;

class WholeFrame : public ::testing::Test {
 protected:
  double encoded(const ImageView& picture, const Rect& rect, int quality) {
    return static_cast<double>(encoder_.encode(picture, rect, rect.size(), quality).value().size());
  }
  void measure(const ImageView& picture, int quality) {
    const Rect tile = estimate_.nextTile(picture.size);
    estimate_.measured(picture.size, tile.size(),
                       static_cast<std::size_t>(encoded(picture, tile, quality)), quality);
  }
  JpegEncoder encoder_;
  WholeFrameEstimate estimate_;
};

TEST_F(WholeFrame, IsWhatAWholeFrameWouldTake) {
  // All there is to see is on the left.
  const MadePicture picture({1280, 720}, 30, 1);
  for (int i = 0; i < 64; ++i) measure(picture.view(), 80);
  const auto real = [&](int quality) {
    return encoded(picture.view(), wholeFrame({1280, 720}), quality);
  };
  EXPECT_NEAR(estimate_.bytes({1280, 720}, 80), real(80), 0.05 * real(80));
  // Noise does not shrink quite as pictures of something do.
  for (const int quality : {60, 90})
    EXPECT_NEAR(estimate_.bytes({1280, 720}, quality), real(quality), 0.15 * real(quality));
}

TEST_F(WholeFrame, FollowsTheScene) {
  const Size size{640, 480};
  for (int i = 0; i < 64; ++i) measure(MadePicture(size, 0, 1).view(), 90);
  const MadePicture rich(size, 30, 1);
  for (int i = 0; i < 200; ++i) measure(rich.view(), 90);
  const double real = encoded(rich.view(), wholeFrame(size), 90);
  EXPECT_NEAR(estimate_.bytes(size, 90), real, 0.1 * real);
}

TEST_F(WholeFrame, TilesCoverTheFrameEvenlyAndAreNotEmpty) {
  for (const Size size : {Size{1, 1}, Size{63, 200}, Size{640, 360}, Size{1921, 1081}}) {
    WholeFrameEstimate estimate;
    double seen = 0, area = 0;
    std::set<std::pair<int, int>> places;
    for (int i = 0; i < 130; ++i) {
      const Rect tile = estimate.nextTile(size);
      ASSERT_FALSE(tile.empty());
      ASSERT_TRUE(contains(wholeFrame(size), tile));
      if (places.insert({tile.x, tile.y}).second) seen += tile.size().area();
      area += tile.size().area();
      estimate.measured(size, tile.size(), 1000, 90);
    }
    EXPECT_EQ(seen, size.area()) << size.width;
    EXPECT_NEAR(area / 130, size.area() / static_cast<double>(places.size()), 0.05 * area / 130);
  }
}

TEST_F(WholeFrame, AFrameThatWasSentWholeIsAllThatIsKnown) {
  const Size size{640, 480};
  for (int i = 0; i < 20; ++i) measure(MadePicture(size, 30, 1).view(), 90);
  estimate_.measured(size, size, 20000, 90);
  EXPECT_NEAR(estimate_.bytes(size, 90), 20000, 1);
}

TEST_F(WholeFrame, KnowsNothingBeforeTheFirstTile) {
  EXPECT_EQ(estimate_.bytes({640, 480}, 90), 0);
}

}  // namespace
}  // namespace elf
