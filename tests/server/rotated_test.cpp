// SPDX-License-Identifier: LGPL-2.1-or-later
// From the tensors of networks with rotated boxes to detections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "elf/base/error.h"
#include "elf/decode/canvas.h"
#include "elf/decode/recognise.h"
#include "tests/support/near.h"

namespace elf {
namespace {

using testing::expectNear;
using ::testing::HasSubstr;

/** Of 200x100 pixels, scaled by 0.32 for a network of 64x64. */
Canvas letterboxed(ModelRules rules = {}, Fit fit = Fit::Centre) {
  rules.fixedSize = {64, 64};
  return Canvas::ofPicture(cv::Mat::zeros(100, 200, CV_8UC3), rules, fit);
}

/** One object as end2end-obb tells it: centre, size, score, class, angle. */
Tensors oneRow(const std::vector<float>& row) {
  cv::Mat values(std::vector<int>{1, 2, 7}, CV_32F, cv::Scalar(0));
  std::ranges::copy(row, values.ptr<float>());
  return {{"output0", values}};
}

ModelFile file(bool rotated) {
  ModelFile file;
  file.name = "ships";
  file.decoder = OutputDecoder::EndToEndObb;
  file.rules.rotated = rotated;
  file.rules.minScore = 0.25F;
  return withConvention(file);
}

Result<std::vector<Detection>> read(const std::vector<float>& row, const ModelFile& model,
                                    const Canvas& canvas) {
  return toDetections(oneRow(row), decoderFor(model.decoder), canvas, model);
}

TEST(Rotated, BoxesComeToThePixelsOfThePictureAndTheUprightOneIsAroundThem) {
  // Of the canvas rows 16 to 48 are of the picture.
  const auto found = read({32, 32, 20, 8, 0.9F, 1, 0.5F}, file(true), letterboxed());
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  const Detection& ship = found.value()[0];
  ASSERT_TRUE(ship.rotated);
  EXPECT_NEAR(ship.rotated->centreX, 100, 0.01);
  EXPECT_NEAR(ship.rotated->centreY, 50, 0.01);
  EXPECT_NEAR(ship.rotated->width, 62.5, 0.01);
  EXPECT_NEAR(ship.rotated->height, 25, 0.01);
  EXPECT_FLOAT_EQ(ship.rotated->angle, 0.5F);
  EXPECT_EQ(ship.box, ship.rotated->hull());
  EXPECT_EQ(ship.labelId, 1);
}

TEST(Rotated, AnUprightBoxIsClippedARotatedOneIsNot) {
  const auto found = read({2, 32, 20, 8, 0.9F, 0, -0.5F}, file(true), letterboxed());
  ASSERT_TRUE(found) << found.error();
  const Detection& ship = found.value().at(0);
  EXPECT_EQ(ship.box.x0, 0);
  EXPECT_LT(ship.rotated->hull().x0, -10);
  EXPECT_EQ(ship.box, clip(ship.rotated->hull(), {200, 100}));
}

TEST(Rotated, OnACanvasThatIsStretchedTheUprightBoxIsAroundWhatIsTold) {
  const auto found =
      read({32, 32, 20, 8, 0.9F, 0, 0.5F}, file(true), letterboxed({}, Fit::Stretch));
  ASSERT_TRUE(found) << found.error();
  const Detection& ship = found.value().at(0);
  EXPECT_NEAR(ship.rotated->angle, std::atan2(std::sin(0.5), 2 * std::cos(0.5)), 1e-5);
  EXPECT_EQ(ship.box, clip(ship.rotated->hull(), {200, 100}));
}

TEST(Rotated, OfATaskThatWantsNoneTheHullIsLeft) {
  const auto found = read({32, 32, 20, 8, 0.9F, 1, 0.5F}, file(false), letterboxed());
  ASSERT_TRUE(found) << found.error();
  EXPECT_FALSE(found.value().at(0).rotated);
  expectNear(found.value().at(0).box, RotatedBox{100, 50, 62.5F, 25, 0.5F}.hull(), 0.01);
}

TEST(Rotated, WhatHasNoSidesOrIsNowhereIsNoObject) {
  for (const std::vector<float>& row :
       std::vector<std::vector<float>>{{32, 32, -20, 8, 0.9F, 0, 0.5F},
                                       {32, 32, 20, 0, 0.9F, 0, 0.5F},
                                       {32, 32, 1e7F, 8, 0.9F, 0, 0.5F},
                                       {32, 32, 20, 8, 0.9F, 0, std::nanf("")}}) {
    const auto found = read(row, file(true), letterboxed());
    ASSERT_TRUE(found) << found.error();
    EXPECT_TRUE(found.value().empty());
  }
}

TEST(Rotated, TheTaskIsTakenFromTheFileOfTheNetworkOrFromTheUsers) {
  NetworkInfo info;
  info.metadata = {{"task", "obb"}};
  ModelFile model = file(false);
  model.decoder = OutputDecoder::Auto;
  EXPECT_FALSE(withInfo(model, info).rules.rotated) << "its user named another task";
  model.openTask = true;
  EXPECT_TRUE(withInfo(model, info).rules.rotated);
  // Of a file without a word the values tell, and so they do of the task.
  const Tensors row = oneRow({32, 32, 20, 8, 0.9F, 1, 0.5F});
  const ModelFile seen = recognise("net.onnx", model, {}, row, {64, 64});
  EXPECT_EQ(seen.decoder, OutputDecoder::EndToEndObb);
  EXPECT_EQ(taskOf(seen.rules), "obb");
}

TEST(Rotated, WhereAnglesMayBeClassesTheUsersTaskDecides) {
  const Tensors columns{{"output0", cv::Mat(std::vector<int>{1, 7, 84}, CV_32F, cv::Scalar(0.3))}};
  ModelFile model = file(false);
  model.decoder = OutputDecoder::Auto;
  EXPECT_THROW(recognise("net.onnx", model, {}, columns, {64, 64}), Error);
  model.rules.rotated = true;
  EXPECT_EQ(recognise("net.onnx", model, {}, columns, {64, 64}).decoder, OutputDecoder::Yolov8Obb);
  const Tensors nothing = oneRow({});
  EXPECT_EQ(recognise("net.onnx", model, {}, nothing, {64, 64}).decoder,
            OutputDecoder::EndToEndObb);
}

TEST(Rotated, ATaskThatTheNetworkIsNotForIsRefused) {
  ModelFile model = file(true);
  model.decoder = OutputDecoder::Auto;
  cv::Mat values(std::vector<int>{1, 1, 6}, CV_32F, cv::Scalar(1));
  values.at<float>(2) = values.at<float>(3) = 9;
  try {
    recognise("net.onnx", model, {}, {{"output0", values}}, {64, 64});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("[model] task: is obb"));
  }
}

}  // namespace
}  // namespace elf
