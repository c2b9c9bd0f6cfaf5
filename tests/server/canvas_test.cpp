// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "elf/decode/canvas.h"
#include "tests/support/near.h"

namespace elf {
namespace {

using testing::expectNear;

const cv::Scalar kGrey = cv::Scalar::all(114);

/** Black, and white in `rect`. */
cv::Mat withRect(cv::Size size, const cv::Rect& rect) {
  cv::Mat picture(size, CV_8UC3, cv::Scalar::all(0));
  picture(rect).setTo(cv::Scalar::all(255));
  return picture;
}

/** The box around what is white on a canvas. */
Box whiteOn(const Canvas& canvas) {
  cv::Mat grey;
  cv::cvtColor(canvas.pixels(), grey, cv::COLOR_BGR2GRAY);
  std::vector<cv::Point> white;
  cv::findNonZero(grey > 200, white);
  const auto [left, right] = std::ranges::minmax(white, {}, &cv::Point::x);
  const auto [top, bottom] = std::ranges::minmax(white, {}, &cv::Point::y);
  return {static_cast<float>(left.x), static_cast<float>(top.y), static_cast<float>(right.x + 1),
          static_cast<float>(bottom.y + 1)};
}

TEST(Canvas, PadsAPictureRightAndBelowWithoutScalingIt) {
  ModelRules rules;
  rules.multipleOf = 32;
  const Canvas canvas = Canvas::ofPicture(withRect({50, 33}, {10, 5, 20, 8}), rules);
  EXPECT_EQ(canvas.size(), (Size{64, 64}));
  EXPECT_EQ(cv::mean(canvas.pixels()(cv::Rect(50, 0, 14, 64))), kGrey + cv::Scalar(0, 0, 0, -114));
  EXPECT_EQ(canvas.toPicture(whiteOn(canvas)), (Box{10, 5, 30, 13}));
  // What lies in the padding does not lie in the picture.
  EXPECT_EQ(canvas.toPicture(Box{40, 10, 60, 60}), (Box{40, 10, 50, 33}));
  EXPECT_EQ(canvas.toPicture(Keypoint{55, 10, 1}).visibility, 0);
  EXPECT_EQ(canvas.toPicture(Keypoint{49, 10, 1}), (Keypoint{49, 10, 1}));
}

TEST(Canvas, IsScaledIntoAFixedSizeAndBack) {
  ModelRules rules;
  rules.fixedSize = {96, 64};
  // 203 x 101 become 96 x 48: neither side by the same factor.
  const Canvas canvas = Canvas::ofPicture(withRect({203, 101}, {40, 20, 100, 60}), rules);
  EXPECT_EQ(canvas.size(), (Size{96, 64}));
  expectNear(canvas.toPicture(whiteOn(canvas)), {40, 20, 140, 80}, 2);
  EXPECT_EQ(canvas.toPicture(Box{0, 0, 96, 48}), (Box{0, 0, 203, 101}));
  const Keypoint corner = canvas.toPicture(Keypoint{96, 48, 1});
  EXPECT_FLOAT_EQ(corner.x, 203);
  EXPECT_FLOAT_EQ(corner.y, 101);
}

TEST(Canvas, OfASizeLiesWhereThePictureOfThatSizeDoes) {
  ModelRules fixed, any;
  fixed.fixedSize = {96, 64};
  any.multipleOf = 32;
  any.maxSize = {64, 64};
  for (const ModelRules& rules : {fixed, any})
    for (const Fit fit : {Fit::Corner, Fit::Centre, Fit::Stretch})
      for (const cv::Size size : {cv::Size(203, 101), cv::Size(50, 33), cv::Size(1, 300)}) {
        const Canvas with = Canvas::ofPicture(withRect(size, {0, 0, 1, 1}), rules, fit);
        const Canvas without = Canvas::ofSize({size.width, size.height}, rules, fit);
        EXPECT_EQ(without.size(), with.size());
        EXPECT_EQ((Size{with.pixels().cols, with.pixels().rows}), with.size());
        EXPECT_EQ(without.picture(), with.picture());
        const Box box{5, 6, 40, 50};
        EXPECT_EQ(without.toPicture(box), with.toPicture(box));
      }
}

TEST(Canvas, OfABoxIsGrownAndWidenedToTheShapeOfTheNetwork) {
  // 40 x 80 become 50 x 100, and then 75 x 100.
  const cv::Rect object(100, 60, 40, 80);
  const Canvas canvas =
      Canvas::ofBox(withRect({300, 200}, object), {100, 60, 140, 140}, {150, 200});
  EXPECT_EQ(canvas.size(), (Size{150, 200}));
  expectNear(whiteOn(canvas), {35, 20, 115, 180}, 1);
  expectNear(canvas.toPicture(Box{35, 20, 115, 180}), {100, 60, 140, 140}, 1e-3F);
  const Keypoint joint = canvas.toPicture(Keypoint{35, 20, 0.5F});
  EXPECT_NEAR(joint.x, 100, 1e-3);
  EXPECT_NEAR(joint.y, 60, 1e-3);
  EXPECT_EQ(joint.visibility, 0.5F);
}

TEST(Canvas, OfABoxInAPictureOfAnyWidth) {
  const Canvas canvas =
      Canvas::ofBox(withRect({40000, 60}, {39000, 20, 20, 30}), {39000, 20, 39020, 50}, {40, 60});
  expectNear(canvas.toPicture(whiteOn(canvas)), {39000, 20, 39020, 50}, 1);
}

TEST(Canvas, AJointThatIsNowhereIsNotSeen) {
  const Canvas canvas = Canvas::ofPicture(withRect({64, 64}, {0, 0, 1, 1}), {});
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(canvas.toPicture(Keypoint{kNan, 1, 1}), Keypoint{});
  EXPECT_EQ(canvas.toPicture(Keypoint{1, 2, kNan}), (Keypoint{1, 2, 0}));
  EXPECT_EQ(canvas.toPicture(Keypoint{1, 2, 0.5F}), (Keypoint{1, 2, 0.5F}));
}

TEST(Canvas, OfABoxAtTheEdgeIsGreyBeyondThePicture) {
  const Canvas canvas = Canvas::ofBox(cv::Mat::zeros(100, 100, CV_8UC3), {0, 0, 40, 80}, {40, 80});
  EXPECT_EQ(canvas.pixels().at<cv::Vec3b>(2, 2), cv::Vec3b(114, 114, 114));
  EXPECT_EQ(canvas.pixels().at<cv::Vec3b>(40, 20), cv::Vec3b(0, 0, 0));
  EXPECT_EQ(canvas.toPicture(Keypoint{2, 2, 1}).visibility, 0);
}

TEST(Canvas, MasksAreSmoothedToThePixelsOfThePicture) {
  ModelRules rules;
  rules.fixedSize = {64, 64};
  const Canvas canvas = Canvas::ofPicture(cv::Mat::zeros(128, 128, CV_8UC3), rules);
  // Cells of 4 pixels of the canvas, 8 of the picture: the left two of four are of the object.
  cv::Mat cells = cv::Mat::zeros(4, 4, CV_32F);
  cells.colRange(0, 2) = 1;
  const Box box{16.5F, 16, 48, 40};
  const Mask mask = canvas.toPicture(MaskGrid{cells, {8, 8, 24, 24}}, box);
  EXPECT_EQ(mask.rect(), (Rect{16, 16, 32, 24}));
  for (int y = 16; y < 40; ++y)
    for (int x = 16; x < 48; ++x)
      EXPECT_EQ(mask.row(y)[static_cast<std::size_t>(x - 16)], x < 32 ? 1 : 0) << x << "," << y;
}

}  // namespace
}  // namespace elf
