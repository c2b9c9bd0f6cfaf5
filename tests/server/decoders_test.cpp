// SPDX-License-Identifier: LGPL-2.1-or-later
// Decoders on tensors that are made by hand. Those of real networks: networks_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "elf/decode/decoder.h"
#include "tests/support/near.h"
#include "tests/support/tensors.h"

namespace elf {
namespace {

using testing::columns;
using ::testing::ElementsAre;
using testing::expectNear;
using testing::integers;
using ::testing::IsEmpty;
using testing::rows;
using ::testing::SizeIs;
using testing::tensorOf;
using testing::zeros;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<std::int64_t> labelsOf(const std::optional<Candidates>& found) {
  std::vector<std::int64_t> labels;
  if (found)
    for (const Candidate& candidate : found->list) labels.push_back(candidate.labelId);
  return labels;
}

/** That there is one, and which. */
void expectOne(const std::optional<Candidates>& found, const Box& box, float score,
               std::int64_t labelId) {
  ASSERT_TRUE(found);
  ASSERT_THAT(found->list, SizeIs(1));
  expectNear(found->list[0].box, box, 1e-3);
  EXPECT_NEAR(found->list[0].score, score, 1e-5);
  EXPECT_EQ(found->list[0].labelId, labelId);
}

const std::vector<OutputDecoder> kWholePicture{
    OutputDecoder::Objects,      OutputDecoder::MmDeploy,      OutputDecoder::Yolox,
    OutputDecoder::YoloxDecoded, OutputDecoder::DarknetRegion, OutputDecoder::Yolov5,
    OutputDecoder::Yolov8,       OutputDecoder::Yolov8Seg,     OutputDecoder::Yolov8Pose,
    OutputDecoder::Yolov8Obb,    OutputDecoder::EndToEnd,      OutputDecoder::EndToEndSeg,
    OutputDecoder::EndToEndPose, OutputDecoder::EndToEndObb,   OutputDecoder::RtDetr,
    OutputDecoder::RtDetrLogits, OutputDecoder::RtDetrRows,    OutputDecoder::RfDetr,
    OutputDecoder::FastestDet,   OutputDecoder::NanoDet,       OutputDecoder::Ssd,
    OutputDecoder::MaskRcnn,     OutputDecoder::UltraFace,     OutputDecoder::YuNet};

TEST(Decoders, RefuseTensorsOfAnotherLayout) {
  for (const OutputDecoder layout : kWholePicture) {
    SCOPED_TRACE(toString(layout));
    const Decoder decode = decoderFor(layout);
    ASSERT_TRUE(decode);
    const Reading reading{.canvas = {64, 64}, .minScore = 0.5F, .keypoints = 2};
    EXPECT_FALSE(decode({}, reading));
    EXPECT_FALSE(decode({{"other", zeros({2, 3})}}, reading));
    EXPECT_FALSE(decode({{"other", zeros({1, 4})}}, reading));
    EXPECT_FALSE(decode({{"nothing", cv::Mat()}}, reading));
    EXPECT_FALSE(decode({{"other", zeros({1, 3, 2})}}, reading));
    EXPECT_FALSE(decode({{"other", zeros({1, 3, 4})}, {"more", zeros({1, 3, 4, 5})}}, reading));
    EXPECT_FALSE(decode({{"bytes", cv::Mat(std::vector<int>{1, 84, 85}, CV_8U)}}, reading));
  }
  for (const OutputDecoder layout :
       {OutputDecoder::Auto, OutputDecoder::HeatMaps, OutputDecoder::SimCc, OutputDecoder::Classes})
    EXPECT_FALSE(decoderFor(layout)) << toString(layout);
  EXPECT_FALSE(decodeHeatMaps({{"flat", zeros({1, 34})}}, {64, 64}));
  EXPECT_FALSE(decodeClasses({{"rows", zeros({2, 10})}}));
  EXPECT_FALSE(decodeClasses({{"a", zeros({1, 10})}, {"b", zeros({1, 10})}}));
}

TEST(Decoders, TellWhatTheyWereGivenInstead) {
  EXPECT_EQ(unexpected({{"boxes", zeros({1, 7, 4})}, {"scores", zeros({1, 7})}}),
            "the network's output, boxes 1x7x4, scores 1x7, is not what [output] decoder expects");
}

TEST(Decoders, ReadYolov5BesideItsRawHeads) {
  std::vector<std::vector<float>> values(84, std::vector<float>(8));
  values[1] = {30, 40, 20, 10, 0.9F, 0.1F, 0.8F, 0.2F};
  values[2] = {30, 40, 20, 10, 0.9F, 0.1F, 0.2F, 0.5F};
  values[3] = {30, 40, 20, 10, 0.2F, 0.9F, 0.9F, 0.9F};
  const Tensors tensors{{"head", zeros({1, 3, 8, 8, 8})}, rows("output0", values)};
  expectOne(decodeYolov5(tensors, {{64, 64}, 0.5F}), {20, 35, 40, 45}, 0.72F, 1);
}

TEST(Decoders, ReadYolov8WhichHasAColumnForEachCandidate) {
  const NamedTensor tensor =
      columns("output0", 4 + 3, 84,
              {{2, {30, 40, 20, 10, 0.1F, 0.2F, 0.7F}}, {5, {30, 40, 20, 10, 0.1F, 0.4F, 0.2F}}});
  expectOne(decodeYolov8({tensor}, {{64, 64}, 0.5F}), {20, 35, 40, 45}, 0.7F, 2);
}

TEST(Decoders, TellYolov5AndYolov8Apart) {
  const Reading reading{.canvas = {64, 64}, .minScore = 0.5F};
  EXPECT_TRUE(decodeYolov5({{"output0", zeros({1, 252, 85})}}, reading));
  EXPECT_FALSE(decodeYolov8({{"output0", zeros({1, 252, 85})}}, reading));
  EXPECT_TRUE(decodeYolov8({{"output0", zeros({1, 84, 84})}}, reading));
  EXPECT_FALSE(decodeYolov5({{"output0", zeros({1, 84, 336})}}, reading));
}

TEST(Decoders, TellYolov5AndYolov8ApartByTheCellsOfASmallPicture) {
  const Reading reading{.canvas = {32, 32}, .minScore = 0.5F};
  EXPECT_TRUE(decodeYolov8({{"output0", zeros({1, 84, 21})}}, reading));
  EXPECT_FALSE(decodeYolov8({{"output0", zeros({1, 63, 15})}}, reading));
  EXPECT_TRUE(decodeYolov5({{"output0", zeros({1, 63, 85})}}, reading));
  EXPECT_FALSE(decodeYolov5({{"output0", zeros({1, 84, 21 * 20})}}, reading));
}

TEST(Decoders, TellHowManyClassesThereAre) {
  const Reading reading{.canvas = {64, 64}, .minScore = 0.5F};
  const auto classesOf = [&](Decoder decode, std::initializer_list<int> shape) {
    return decode({{"output", zeros(shape)}}, reading)->classes;
  };
  EXPECT_EQ(classesOf(decodeYolox, {1, 84, 85}), 80U);
  EXPECT_EQ(classesOf(decodeDarknetRegion, {12, 85}), 80U);
  EXPECT_EQ(classesOf(decodeYolov5, {1, 252, 85}), 80U);
  EXPECT_EQ(classesOf(decodeYolov8, {1, 84, 84}), 80U);
  EXPECT_EQ(classesOf(decodeFastestDet, {1, 85, 2, 2}), 80U);
  EXPECT_EQ(classesOf(decodeNanoDet, {1, 85, 112}), 80U);
  EXPECT_EQ(classesOf(decodeSsd, {1, 1, 5, 7}), 0U) << "nobody knows";
}

TEST(Decoders, ReadNanoDetsDistributionsOnGridsThatAreRoundedUp) {
  // 5 x 4, 3 x 2, 2 x 1 and 1 x 1 cells.
  cv::Mat tensor = zeros({1, 20 + 6 + 2 + 1, 2 + 32});
  float* row = tensor.ptr<float>(0, 20 + 3 + 1);  // of stride 16: x = 1, y = 1
  row[1] = 0.75F;
  const auto sure = [&](int side, int bin) { row[2 + 8 * side + bin] = 100; };
  sure(0, 1);
  sure(1, 0);
  sure(3, 2);
  // To the right, half 2 and half 3.
  sure(2, 2);
  sure(2, 3);
  expectOne(decodeNanoDet({{"output", tensor}}, {{36, 32}, 0.5F}), {0, 16, 56, 48}, 0.75F, 1);
}

TEST(Decoders, ReadWhatADetectionOutputLayerFound) {
  cv::Mat tensor = zeros({1, 1, 5, 7});
  const std::vector<float> values{-1, 0, 0.9F, 0,    0,    1,    1,      // nothing
                                  0,  3, 0.8F, 0.25, 0.5F, 0.5F, 0.75F,  //
                                  0,  2, 0.3F, 0,    0,    1,    1};
  std::copy(values.begin(), values.end(), tensor.ptr<float>());
  expectOne(decodeSsd({{"detection_out", tensor}}, {{200, 100}, 0.5F}), {50, 50, 100, 75}, 0.8F, 3);
  EXPECT_THAT(decodeSsd({{"detection_out", tensor}}, {{200, 100}, 0})->list, SizeIs(2));
}

TEST(Decoders, ReadTheMaskOfMaskRcnnsClass) {
  cv::Mat boxes = zeros({1, 1, 2, 7});
  const std::vector<float> values{0, 0, 0.1F, 0, 0, 1, 1, 0, 1, 0.9F, 0.25F, 0, 0.75F, 1};
  std::copy(values.begin(), values.end(), boxes.ptr<float>());
  cv::Mat masks = zeros({2, 2, 3, 5});
  masks.at<float>(cv::Vec<int, 4>(1, 1, 2, 4)) = 0.6F;
  const Tensors tensors{{"detection_masks", masks}, {"detection_out_final", boxes}};
  const auto found = decodeMaskRcnn(tensors, {{80, 60}, 0.5F});
  expectOne(found, {20, 0, 60, 60}, 0.9F, 1);
  const MaskGrid grid = found->maskOf(found->list[0]);
  expectNear(grid.place, {20, 0, 60, 60}, 1e-3);
  ASSERT_EQ(grid.values.size(), cv::Size(5, 3));
  EXPECT_EQ(grid.values.at<float>(2, 4), 0.6F);
  EXPECT_EQ(cv::countNonZero(grid.values), 1);
  // A class that has no mask.
  boxes.at<float>(cv::Vec<int, 4>(0, 0, 1, 1)) = 2;
  EXPECT_FALSE(decodeMaskRcnn(tensors, {{80, 60}, 0.5F}));
}

TEST(Decoders, TellUltraFacesTensorsByTheirShapes) {
  const NamedTensor boxes = rows("1", {{0, 0, 1, 1}, {0.25F, 0.5F, 0.5F, 0.75F}});
  const NamedTensor scores = rows("2", {{0.9F, 0.1F}, {0.2F, 0.8F}});
  for (const Tensors& tensors : {Tensors{boxes, scores}, Tensors{scores, boxes}})
    expectOne(decodeUltraFace(tensors, {{200, 100}, 0.5F}), {50, 50, 100, 75}, 0.8F, 0);
}

TEST(Decoders, FindTheSurestPlaceOfEachJoint) {
  cv::Mat maps = zeros({1, 3, 8, 6});
  const auto at = [&](int joint, int y, int x) -> float& {
    return maps.at<float>(cv::Vec<int, 4>(0, joint, y, x));
  };
  at(0, 3, 2) = 0.8F;
  at(0, 3, 3) = 0.5F;  // a quarter of a cell to the right
  at(0, 2, 2) = 0.4F;  // and up
  at(1, 0, 5) = 1.5F;  // in a corner, surer than can be
  const auto joints = decodeHeatMaps({{"maps", maps}}, {24, 32});
  ASSERT_TRUE(joints);
  EXPECT_THAT(*joints, ElementsAre(Keypoint{2.25F * 4, 2.75F * 4, 0.8F}, Keypoint{5 * 4, 0, 1},
                                   Keypoint{0, 0, 0}));
}

TEST(Decoders, TakeTheClassOfProbabilitiesAndOfLogits) {
  const auto classOf = [](const std::vector<float>& values) {
    cv::Mat tensor = zeros({1, static_cast<int>(values.size()), 1, 1});
    std::copy(values.begin(), values.end(), tensor.ptr<float>());
    return decodeClasses({{"prob", tensor}});
  };
  const auto probabilities = classOf({0.1F, 0.7F, 0.2F});
  ASSERT_TRUE(probabilities);
  EXPECT_EQ(probabilities->labelId, 1);
  EXPECT_EQ(probabilities->score, 0.7F);
  const auto logits = classOf({101, 99, 100});
  ASSERT_TRUE(logits);
  EXPECT_EQ(logits->labelId, 0);
  EXPECT_NEAR(logits->score, 1 / (1 + std::exp(-1) + std::exp(-2)), 1e-6);
}

TEST(Decoders, KeepNoCandidateWithoutANumber) {
  std::vector<std::vector<float>> values(84, std::vector<float>(6));
  values[1] = {std::nanf(""), 1, 1, 1, 1, 1};
  values[2] = {1, 1, 1, 1, std::nanf(""), 1};
  EXPECT_THAT(decodeYolov5({rows("o", values)}, {{64, 64}, 0})->list, IsEmpty());
}

TEST(Decoders, ReadYoloxWithItsGridAdded) {
  std::vector<std::vector<float>> values(84, std::vector<float>(8));
  values[1] = {30, 40, 20, 10, 0.9F, 0.1F, 0.8F, 0.2F};
  expectOne(decodeYoloxDecoded({rows("output", values)}, {{64, 64}, 0.5F}), {20, 35, 40, 45}, 0.72F,
            1);
  // Not of the cells of this canvas.
  EXPECT_FALSE(decodeYoloxDecoded({rows("output", values)}, {{96, 64}, 0.5F}));
}

TEST(Decoders, ReadTheMasksOfYolov8SegsColumns) {
  const NamedTensor head =
      columns("output0", 4 + 3 + 2, 84, {{7, {30, 40, 20, 10, 0.1F, 0.9F, 0.2F, 2, -1}}});
  cv::Mat prototypes = zeros({1, 2, 16, 16});
  prototypes.at<float>(cv::Vec<int, 4>(0, 0, 9, 6)) = 0.25F;
  prototypes.at<float>(cv::Vec<int, 4>(0, 1, 9, 7)) = 3;
  for (const Tensors& tensors :
       {Tensors{head, {"output1", prototypes}}, Tensors{{"output1", prototypes}, head}}) {
    const auto found = decodeYolov8Seg(tensors, {{64, 64}, 0.5F});
    expectOne(found, {20, 35, 40, 45}, 0.9F, 1);
    EXPECT_EQ(found->classes, 3U);
    const MaskGrid grid = found->maskOf(found->list[0]);
    // The cells that the box covers, and one more on each side.
    EXPECT_EQ(grid.place, (Box{16, 28, 44, 52}));
    cv::Mat expected(6, 7, CV_32F, cv::Scalar(0.5));
    expected.at<float>(2, 2) = 1;
    expected.at<float>(2, 3) = -2.5F;
    EXPECT_EQ(cv::norm(grid.values, expected, cv::NORM_INF), 0);
  }
  // Fewer rows than box, one class and coefficients.
  EXPECT_FALSE(
      decodeYolov8Seg({{"output0", zeros({1, 6, 84})}, {"output1", prototypes}}, {{64, 64}, 0.5F}));
}

TEST(Decoders, ReadTheJointsOfYolov8PosesColumns) {
  const NamedTensor tensor = columns("output0", 4 + 1 + 2 * 3, 84,
                                     {{3, {30, 40, 20, 10, 0.9F, 22, 36, 0.25F, 38, 44, 1.5F}},
                                      {4, {30, 40, 20, 10, 0.4F, 22, 36, 0.25F, 38, 44, 0.5F}}});
  const auto found = decodeYolov8Pose({tensor}, {{64, 64}, 0.5F, 2});
  expectOne(found, {20, 35, 40, 45}, 0.9F, 0);
  EXPECT_EQ(found->classes, 1U);
  EXPECT_THAT(found->list[0].keypoints, ElementsAre(Keypoint{22, 36, 0.25F}, Keypoint{38, 44, 1}));
  EXPECT_FALSE(decodeYolov8Pose({tensor}, {{64, 64}, 0.5F, 0})) << "nobody says how many joints";
  EXPECT_FALSE(decodeYolov8Pose({tensor}, {{64, 64}, 0.5F, 3})) << "no class is left";
}

TEST(Decoders, ReadTheAnglesOfYolov8ObbsColumns) {
  const float quarter = std::numbers::pi_v<float> / 2;
  const NamedTensor tensor = columns(
      "output0", 4 + 2 + 1, 84,
      {{3, {30, 40, 20, 10, 0.2F, 0.9F, quarter}}, {4, {30, 40, 20, 10, 0.8F, 0.2F, quarter / 2}}});
  const auto found = decodeYolov8Obb({tensor}, {{64, 64}, 0.5F});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->classes, 2U);
  ASSERT_THAT(labelsOf(found), ElementsAre(1, 0));
  expectNear(found->list[0].box, {25, 30, 35, 50}, 1e-4);
  EXPECT_EQ(found->list[0].rotated, (RotatedBox{30, 40, 20, 10, quarter}));
  const float half = 15 / std::numbers::sqrt2_v<float>;
  expectNear(found->list[1].box, {30 - half, 40 - half, 30 + half, 40 + half}, 1e-4);
  EXPECT_EQ(found->list[1].rotated, (RotatedBox{30, 40, 20, 10, quarter / 2}));
}

TEST(Decoders, ReadRowsOfObjectsThatNeedNoSuppression) {
  const NamedTensor tensor = rows("output0", {{20, 35, 40, 45, 0.9F, 3},
                                              {20, 35, 40, 45, 0.8F, 2},
                                              {1, 1, 9, 9, 0.4F, 1},
                                              {1, 1, 9, 9, kNan, 1},
                                              {1, 1, 9, 9, 0.9F, kNan},
                                              {1, 1, 9, 9, 0.9F, -1},
                                              {1, 1, 9, 9, 0.9F, 1e30F},
                                              {9, 9, 1, 1, 0.9F, 1},
                                              {0, 0, 0, 0, 0, 0},
                                              {5, 5, 9, 9, 0, 0}});
  const auto found = decodeEndToEnd({tensor}, {{64, 64}, 0.5F});
  EXPECT_THAT(labelsOf(found), ElementsAre(3, 2));
  EXPECT_EQ(found->list[0].box, (Box{20, 35, 40, 45}));
  EXPECT_EQ(found->list[0].score, 0.9F);
  EXPECT_EQ(found->classes, 0U) << "nobody knows";
  EXPECT_THAT(labelsOf(decodeEndToEnd({tensor}, {{64, 64}, 0})), ElementsAre(3, 2, 1))
      << "a row of score 0 is none";
  EXPECT_FALSE(decodeEndToEnd({{"o", zeros({1, 300, 7})}}, {{64, 64}, 0.5F}));
  EXPECT_FALSE(decodeEndToEnd({tensor, tensor}, {{64, 64}, 0.5F}));
}

TEST(Decoders, ReadTheMasksOfRowsThatNeedNoSuppression) {
  const NamedTensor tensor =
      rows("output0", {{0, 0, 0, 0, 0, 0, 0, 0}, {20, 36, 40, 44, 0.9F, 3, 2, -1}});
  cv::Mat prototypes = zeros({1, 2, 16, 16});
  prototypes.at<float>(cv::Vec<int, 4>(0, 0, 9, 6)) = 0.25F;
  for (const Tensors& tensors :
       {Tensors{tensor, {"output1", prototypes}}, Tensors{{"output1", prototypes}, tensor}}) {
    const auto found = decodeEndToEndSeg(tensors, {{64, 64}, 0.5F});
    expectOne(found, {20, 36, 40, 44}, 0.9F, 3);
    const MaskGrid grid = found->maskOf(found->list[0]);
    EXPECT_EQ(grid.place, (Box{16, 32, 44, 48}));
    ASSERT_EQ(grid.values.size(), cv::Size(7, 4));
    EXPECT_EQ(grid.values.at<float>(1, 2), 1);
    EXPECT_EQ(grid.values.at<float>(1, 3), 0.5F);
  }
  EXPECT_FALSE(decodeEndToEndSeg({{"output0", zeros({1, 300, 6})}, {"output1", prototypes}},
                                 {{64, 64}, 0.5F}));
  EXPECT_FALSE(decodeEndToEndSeg({tensor}, {{64, 64}, 0.5F}));
}

TEST(Decoders, ReadTheJointsOfRowsThatNeedNoSuppression) {
  const NamedTensor tensor = rows("output0", {{20, 35, 40, 45, 0.9F, 0, 22, 36, 0.25F, 38, 44, -1},
                                              {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}});
  const auto found = decodeEndToEndPose({tensor}, {{64, 64}, 0.5F, 2});
  expectOne(found, {20, 35, 40, 45}, 0.9F, 0);
  EXPECT_THAT(found->list[0].keypoints, ElementsAre(Keypoint{22, 36, 0.25F}, Keypoint{38, 44, 0}));
  EXPECT_FALSE(decodeEndToEndPose({tensor}, {{64, 64}, 0.5F, 3}));
  EXPECT_FALSE(decodeEndToEndPose({rows("o", {{1, 1, 2, 2, 0.9F, 0}})}, {{64, 64}, 0.5F, 0}));
}

TEST(Decoders, ReadRotatedRowsWhichHaveNoCorners) {
  const float quarter = std::numbers::pi_v<float> / 2;
  const NamedTensor tensor = rows("output0", {{30, 40, 20, 10, 0.9F, 4, -quarter},
                                              {30, 40, 20, 10, 0.9F, 4, kNan},
                                              {0, 0, 0, 0, 0, 0, 0}});
  const auto found = decodeEndToEndObb({tensor}, {{64, 64}, 0.5F});
  expectOne(found, {25, 30, 35, 50}, 0.9F, 4);
  EXPECT_EQ(found->list[0].rotated, (RotatedBox{30, 40, 20, 10, -quarter}));
}

/** As torchvision has them: without a dimension of pictures. */
struct TorchvisionTensors {
  NamedTensor boxes{"2033", tensorOf({3, 4}, {20, 35, 40, 45, 1, 1, 9, 9, 0, 0, 64, 64})};
  NamedTensor scores{"2002", tensorOf({3}, {0.9F, 0.6F, 0.2F})};
  NamedTensor labels = integers("2003", {3}, {3, 1, 2});
};

TEST(Decoders, TellBoxesScoresAndLabelsByTypeAndShapeInAnyOrder) {
  const auto [boxes, scores, labels] = TorchvisionTensors();
  for (const Tensors& tensors : {Tensors{boxes, labels, scores}, Tensors{boxes, scores, labels},
                                 Tensors{labels, scores, boxes}}) {
    const auto found = decodeObjects(tensors, {{64, 64}, 0.5F});
    ASSERT_THAT(labelsOf(found), ElementsAre(3, 1));
    EXPECT_EQ(found->list[0].box, (Box{20, 35, 40, 45}));
    EXPECT_EQ(found->list[1].box, (Box{1, 1, 9, 9}));
    EXPECT_EQ(found->list[1].score, 0.6F);
    EXPECT_EQ(found->classes, 0U) << "nobody knows";
    EXPECT_FALSE(found->maskOf);
  }
  EXPECT_FALSE(decodeObjects({boxes, scores}, {{64, 64}, 0.5F}));
  EXPECT_FALSE(decodeObjects({boxes, labels}, {{64, 64}, 0.5F}));
  EXPECT_FALSE(decodeObjects({boxes, scores, integers("labels", {2}, {3, 1})}, {{64, 64}, 0.5F}));
}

TEST(Decoders, ReadObjectsOfABatchOfOnePicture) {
  const Tensors tensors{integers("labels", {1, 2}, {3, 0}),
                        {"boxes", tensorOf({1, 2, 4}, {20, 35, 40, 45, 1, 1, 9, 9})},
                        {"scores", tensorOf({1, 2}, {0.9F, 0.4F})}};
  expectOne(decodeObjects(tensors, {{64, 64}, 0.5F}), {20, 35, 40, 45}, 0.9F, 3);
}

TEST(Decoders, ReadFourObjectsWhoseScoresLookLikeABox) {
  const std::vector<float> four{20, 35, 40, 45, 1, 1, 9, 9, 2, 2, 9, 9, 3, 3, 9, 9};
  const NamedTensor scores{"scores", tensorOf({1, 4}, {0.9F, 0.8F, 0.7F, 0.6F})};
  const NamedTensor labels = integers("labels", {1, 4}, {5, 6, 7, 8});
  const NamedTensor boxes{"boxes", tensorOf({1, 4, 4}, four)};
  EXPECT_THAT(labelsOf(decodeObjects({scores, labels, boxes}, {{64, 64}, 0.5F})),
              ElementsAre(5, 6, 7, 8));
  const NamedTensor flat{"scores", tensorOf({4}, {0.9F, 0.8F, 0.7F, 0.6F})};
  EXPECT_THAT(labelsOf(decodeObjects(
                  {flat, integers("labels", {4}, {5, 6, 7, 8}), {"boxes", tensorOf({4, 4}, four)}},
                  {{64, 64}, 0.5F})),
              ElementsAre(5, 6, 7, 8));
}

TEST(Decoders, TellLabelsByNameWhereNoTypesAreKnown) {
  TorchvisionTensors tensors;
  tensors.labels.integer = false;
  EXPECT_FALSE(decodeObjects({tensors.boxes, tensors.scores, tensors.labels}, {{64, 64}, 0.5F}));
  tensors.labels.name = "pred_labels";
  EXPECT_THAT(
      labelsOf(decodeObjects({tensors.boxes, tensors.labels, tensors.scores}, {{64, 64}, 0.5F})),
      ElementsAre(3, 1));
}

TEST(Decoders, ReadNoObjectsFromEmptyTensors) {
  const auto empty = [](const std::vector<int>& shape) { return cv::Mat(shape, CV_32F); };
  const NamedTensor boxes{"2033", empty({0, 4})}, scores{"2002", empty({0})},
      labels{"2003", empty({0}), true}, masks{"2077", empty({0, 1, 64, 64})};
  for (const Tensors& tensors : {Tensors{boxes, labels, scores}, Tensors{boxes, scores, labels},
                                 Tensors{boxes, labels, scores, masks}}) {
    const auto found = decodeObjects(tensors, {{64, 64}, 0.5F});
    ASSERT_TRUE(found);
    EXPECT_THAT(found->list, IsEmpty());
  }
  const Tensors batch{
      {"boxes", empty({1, 0, 4})}, {"scores", empty({1, 0})}, {"labels", empty({1, 0}), true}};
  EXPECT_TRUE(decodeObjects(batch, {{64, 64}, 0.5F}));
  // Something else that happens to be empty, beside what is not.
  EXPECT_FALSE(decodeObjects(
      {{"boxes", empty({1, 0, 4})}, {"scores", zeros({1, 3})}, {"labels", zeros({1, 3}), true}},
      {{64, 64}, 0.5F}));
}

TEST(Decoders, LeaveOutObjectsWithoutAClass) {
  TorchvisionTensors tensors;
  tensors.labels.values = tensorOf({3}, {kNan, -1, 2});
  EXPECT_THAT(
      labelsOf(decodeObjects({tensors.boxes, tensors.labels, tensors.scores}, {{64, 64}, 0})),
      ElementsAre(2));
}

TEST(Decoders, ReadMasksOfTheWholePictureAndJointsOfObjects) {
  const auto [boxes, scores, labels] = TorchvisionTensors();
  cv::Mat masks = zeros({3, 1, 64, 64});
  masks.at<float>(cv::Vec<int, 4>(1, 0, 5, 7)) = 0.75F;
  for (const cv::Mat& shaped :
       {masks, masks.reshape(1, {3, 64, 64}), masks.reshape(1, {1, 3, 64, 64})}) {
    const auto found = decodeObjects({boxes, labels, scores, {"m", shaped}}, {{64, 64}, 0.5F});
    ASSERT_THAT(labelsOf(found), ElementsAre(3, 1));
    ASSERT_TRUE(found->maskOf);
    const MaskGrid grid = found->maskOf(found->list[1]);
    EXPECT_EQ(grid.place, (Box{0, 0, 64, 64}));
    ASSERT_EQ(grid.values.size(), cv::Size(64, 64));
    EXPECT_EQ(grid.values.at<float>(5, 7), 0.75F);
    EXPECT_EQ(cv::countNonZero(grid.values), 1);
  }
  std::vector<float> joints(std::size_t{3 * 2 * 3});
  joints[6] = 11;  // x of the second object's first joint
  joints[8] = 3;   // which is surer than can be
  for (const std::vector<int>& shape : {std::vector{3, 2, 3}, std::vector{1, 3, 2, 3}}) {
    const Tensors tensors{boxes, labels, scores, {"keypoints", tensorOf(shape, joints)}};
    const auto found = decodeObjects(tensors, {{64, 64}, 0.5F, 2});
    ASSERT_THAT(labelsOf(found), ElementsAre(3, 1));
    EXPECT_THAT(found->list[1].keypoints, ElementsAre(Keypoint{11, 0, 1}, Keypoint{0, 0, 0}));
  }
  EXPECT_FALSE(decodeObjects({boxes, labels, scores}, {{64, 64}, 0.5F, 2}));
}

TEST(Decoders, ReadMmDeploysBoxesWithTheirScores) {
  const NamedTensor dets{"dets", tensorOf({1, 2, 5}, {20, 35, 40, 45, 0.9F, 1, 1, 9, 9, 0.3F})};
  const NamedTensor labels = integers("labels", {1, 2}, {7, 1});
  const auto found = decodeMmDeploy({labels, dets}, {{64, 64}, 0.5F});
  expectOne(found, {20, 35, 40, 45}, 0.9F, 7);
  EXPECT_FALSE(found->maskOf);
  EXPECT_FALSE(decodeMmDeploy({dets, integers("labels", {1, 3}, {7, 1, 1})}, {{64, 64}, 0.5F}));
  EXPECT_FALSE(decodeMmDeploy({{"dets", zeros({1, 2, 4})}, labels}, {{64, 64}, 0.5F}));
  const cv::Mat none(std::vector<int>{1, 0, 5}, CV_32F), nothing(std::vector<int>{1, 0}, CV_32F);
  const auto empty = decodeMmDeploy({{"dets", none}, {"labels", nothing, true}}, {{64, 64}, 0.5F});
  ASSERT_TRUE(empty);
  EXPECT_THAT(empty->list, IsEmpty());
}

TEST(Decoders, ReadMmDeploysMasksOfBoxesAndOfPictures) {
  const NamedTensor dets{"dets", tensorOf({1, 2, 5}, {1, 1, 9, 9, 0.3F, 20, 35, 40, 45, 0.9F})};
  const NamedTensor labels = integers("labels", {1, 2}, {7, 1});
  for (const auto& [side, place] :
       {std::pair(28, Box{20, 35, 40, 45}), std::pair(64, Box{0, 0, 64, 64})}) {
    cv::Mat masks = zeros({1, 2, side, side});
    masks.at<float>(cv::Vec<int, 4>(0, 1, 3, 5)) = 1;
    const auto found = decodeMmDeploy({dets, labels, {"masks", masks}}, {{64, 64}, 0.5F});
    expectOne(found, {20, 35, 40, 45}, 0.9F, 1);
    ASSERT_TRUE(found->maskOf);
    const MaskGrid grid = found->maskOf(found->list[0]);
    EXPECT_EQ(grid.place, place);
    ASSERT_EQ(grid.values.size(), cv::Size(side, side));
    EXPECT_EQ(grid.values.at<float>(3, 5), 1);
  }
  EXPECT_FALSE(decodeMmDeploy({dets, labels, {"masks", zeros({1, 3, 28, 28})}}, {{64, 64}, 0.5F}));
}

float logit(float probability) {
  return std::log(probability / (1 - probability));
}

TEST(Decoders, TakeTheStrongestPairsOfAQueryAndAClass) {
  const NamedTensor boxes = rows("pred_boxes", {{0.25F, 0.5F, 0.5F, 0.25F}, {0.5F, 0.5F, 1, 1}});
  const NamedTensor logits = rows(
      "logits", {{logit(0.9F), logit(0.8F), logit(0.7F)}, {logit(0.6F), logit(0.1F), logit(0.2F)}});
  const auto found = decodeDetr({boxes, logits}, {{200, 100}, 0.5F});
  // No more than there are queries.
  ASSERT_THAT(labelsOf(found), ElementsAre(0, 1));
  EXPECT_EQ(found->classes, 3U);
  for (const Candidate& candidate : found->list)
    expectNear(candidate.box, {0, 37.5F, 100, 62.5F}, 1e-3);
  EXPECT_NEAR(found->list[0].score, 0.9, 1e-6);
  EXPECT_NEAR(found->list[1].score, 0.8, 1e-6);
  EXPECT_THAT(labelsOf(decodeDetr({boxes, logits}, {{200, 100}, 0.85F})), ElementsAre(0));
}

TEST(Decoders, TellDetrsTensorsByShapeWhereTheyHaveNoNames) {
  const NamedTensor boxes = rows("2639", {{0.25F, 0.5F, 0.5F, 0.25F}, {0.5F, 0.5F, 1, 1}});
  const NamedTensor logits = rows("2638", {{-9, -9}, {logit(0.1F), logit(0.9F)}});
  for (const Tensors& tensors : {Tensors{boxes, logits}, Tensors{logits, boxes}})
    expectOne(decodeDetr(tensors, {{200, 100}, 0.5F}), {0, 0, 200, 100}, 0.9F, 1);
  // Exported without names, what layers in between say follows.
  const Tensors all{logits,
                    boxes,
                    {"MatMul", zeros({1, 2, 64})},
                    {"stacked", zeros({1, 3, 2, 4})},
                    {"features", zeros({1, 64, 8, 8})},
                    rows("reference_points", {{9, 9, 9, 9}, {9, 9, 9, 9}}),
                    rows("earlier", {{5, 5}, {5, 5}})};
  expectOne(decodeDetr(all, {{200, 100}, 0.5F}), {0, 0, 200, 100}, 0.9F, 1);
  EXPECT_FALSE(decodeDetr({logits, {"other", zeros({1, 3, 4})}}, {{200, 100}, 0.5F}));
}

TEST(Decoders, TellFourClassesOfDetrFromItsBoxes) {
  const NamedTensor boxes = rows("a", {{0.5F, 0.5F, 1, 1}});
  const NamedTensor logits = rows("b", {{-9, -9, logit(0.9F), -9}});
  const auto named = [](NamedTensor tensor, const char* name) {
    tensor.name = name;
    return tensor;
  };
  for (const auto& [l, b] : {std::pair("logits", "pred_boxes"), std::pair("labels", "dets")})
    expectOne(decodeDetr({named(logits, l), named(boxes, b)}, {{64, 64}, 0.5F}), {0, 0, 64, 64},
              0.9F, 2);
}

TEST(Decoders, CountCocosNumbersAmongEightyLabelsAndSkipItsHoles) {
  constexpr int kNumbers = 91;
  cv::Mat logits(std::vector<int>{1, 5, kNumbers}, CV_32F, cv::Scalar(-9));
  cv::Mat boxes(std::vector<int>{1, 5, 4}, CV_32F, cv::Scalar(0.5));
  int query = 0;
  // Person, a hole, stop sign behind it, toothbrush, nobody.
  for (const int number : {1, 12, 13, 90, 0}) {
    logits.at<float>(0, query, number) = 5 - static_cast<float>(query);
    ++query;
  }
  const Tensors tensors{{"dets", boxes}, {"labels", logits}};
  for (const Decoder decode : {decoderFor(OutputDecoder::RfDetr), Decoder(decodeDetr)}) {
    const auto among = decode(tensors, {.canvas = {64, 64}, .minScore = 0.5F, .labels = 80});
    EXPECT_THAT(labelsOf(among), ElementsAre(0, 11, 79));
    EXPECT_EQ(among->classes, 80U);
    for (const std::size_t labels : {0, 91}) {
      const auto numbers =
          decode(tensors, {.canvas = {64, 64}, .minScore = 0.5F, .labels = labels});
      EXPECT_THAT(labelsOf(numbers), ElementsAre(1, 12, 13, 90, 0));
      EXPECT_EQ(numbers->classes, 91U);
    }
  }
}

TEST(Decoders, TakeTheLastColumnOfAFineTunedRfDetrForNobody) {
  const Tensors tensors{
      rows("dets", {{0.5F, 0.5F, 1, 1}, {0.5F, 0.5F, 0.5F, 0.5F}}),
      rows("labels", {{-9, -9, -9, logit(0.9F)}, {-9, logit(0.6F), logit(0.8F), -9}})};
  const Decoder decode = decoderFor(OutputDecoder::RfDetr);
  const auto three = decode(tensors, {.canvas = {64, 64}, .minScore = 0.5F, .labels = 3});
  EXPECT_THAT(labelsOf(three), ElementsAre(2));
  EXPECT_EQ(three->classes, 3U);
  for (const std::size_t labels : {0, 4}) {
    const auto all = decode(tensors, {.canvas = {64, 64}, .minScore = 0.5F, .labels = labels});
    EXPECT_THAT(labelsOf(all), ElementsAre(3, 2));
    EXPECT_EQ(all->classes, 4U);
  }
  // Others have a label for each column.
  EXPECT_EQ(decodeDetr(tensors, {.canvas = {64, 64}, .minScore = 0.5F, .labels = 3})->classes, 4U);
}

TEST(Decoders, ReadRfDetrsMasksOfTheWholePicture) {
  cv::Mat masks(std::vector<int>{1, 2, 16, 16}, CV_32F, cv::Scalar(-2));
  masks.at<float>(cv::Vec<int, 4>(0, 1, 3, 5)) = 0.25F;
  const Tensors tensors{rows("dets", {{0.5F, 0.5F, 1, 1}, {0.5F, 0.5F, 0.5F, 0.5F}}),
                        rows("labels", {{-9, -9}, {logit(0.9F), -9}}),
                        {"masks", masks}};
  const auto found = decoderFor(OutputDecoder::RfDetr)(tensors, {{64, 64}, 0.5F});
  expectOne(found, {16, 16, 48, 48}, 0.9F, 0);
  ASSERT_TRUE(found->maskOf);
  const MaskGrid grid = found->maskOf(found->list[0]);
  EXPECT_EQ(grid.place, (Box{0, 0, 64, 64}));
  ASSERT_EQ(grid.values.size(), cv::Size(16, 16));
  EXPECT_EQ(grid.values.at<float>(3, 5), 0.75F);
  EXPECT_EQ(grid.values.at<float>(3, 6), -1.5F);
}

TEST(Decoders, ReadOldAndNewRowsOfUltralyticsRtDetr) {
  const NamedTensor ranked =
      rows("output0", {{0.25F, 0.5F, 0.5F, 0.25F, 0.9F, 7}, {0.25F, 0.5F, 0.5F, 0.25F, 0.4F, 1}});
  const auto found = decodeRtDetrRows({ranked}, {{200, 100}, 0.5F});
  expectOne(found, {0, 37.5F, 100, 62.5F}, 0.9F, 7);
  EXPECT_EQ(found->classes, 0U) << "nobody knows";
  const NamedTensor scores = rows("output0", {{0.25F, 0.5F, 0.5F, 0.25F, 0.2F, 0.9F, 0.3F},
                                              {0.25F, 0.5F, 0.5F, 0.25F, 0.2F, 0.4F, 0.3F}});
  const auto old = decodeRtDetrRows({scores}, {{200, 100}, 0.5F});
  expectOne(old, {0, 37.5F, 100, 62.5F}, 0.9F, 1);
  EXPECT_EQ(old->classes, 3U);
  // Old rows of two classes have six columns too.
  const NamedTensor two = rows("output0", {{0.25F, 0.5F, 0.5F, 0.25F, 0.9F, 0.125F}});
  const auto few = decodeRtDetrRows({two}, {{200, 100}, 0.5F});
  expectOne(few, {0, 37.5F, 100, 62.5F}, 0.9F, 0);
  EXPECT_EQ(few->classes, 2U);
}

/** The tensor of SimCC, with one sure cell for each joint. */
NamedTensor simCc(const std::string& name, int cells,
                  const std::vector<std::pair<int, float>>& joints) {
  cv::Mat tensor = zeros({1, static_cast<int>(joints.size()), cells});
  for (std::size_t i = 0; i < joints.size(); ++i)
    tensor.at<float>(0, static_cast<int>(i), joints[i].first) = joints[i].second;
  return {name, tensor};
}

TEST(Decoders, FindTheSurestColumnAndRowOfEachJoint) {
  const NamedTensor x = simCc("simcc_x", 48, {{9, 0.8F}, {47, 1.5F}, {0, 0}});
  const NamedTensor y = simCc("simcc_y", 64, {{30, 0.6F}, {63, 1.5F}, {0, 0}});
  for (const Tensors& tensors : {Tensors{x, y}, Tensors{y, x}}) {
    const auto joints = decodeSimCc(tensors, {24, 32});
    ASSERT_TRUE(joints);
    EXPECT_THAT(*joints, ElementsAre(Keypoint{4.5F, 15, 0.6F}, Keypoint{23.5F, 31.5F, 1},
                                     Keypoint{0, 0, 0}));
  }
  EXPECT_FALSE(decodeSimCc({x}, {24, 32}));
  EXPECT_FALSE(decodeSimCc({x, y}, {24, 24})) << "of another canvas";
  EXPECT_FALSE(decodeSimCc({x, simCc("y", 64, {{30, 1}})}, {24, 32})) << "of fewer joints";
}

TEST(Decoders, TellSimCcsTensorsOfASquareByName) {
  const NamedTensor x = simCc("simcc_x", 64, {{9, 0.8F}});
  const NamedTensor y = simCc("simcc_y", 64, {{30, 0.6F}});
  for (const Tensors& tensors : {Tensors{x, y}, Tensors{y, x}})
    EXPECT_EQ(decodeSimCc(tensors, {32, 32}), (std::vector{Keypoint{4.5F, 15, 0.6F}}));
  // Without names the first is of columns, as their exporter has it.
  EXPECT_EQ(decodeSimCc({simCc("1", 64, {{9, 0.8F}}), simCc("2", 64, {{30, 0.6F}})}, {32, 32}),
            (std::vector{Keypoint{4.5F, 15, 0.6F}}));
}

TEST(Decoders, SeeNoJointWhereANetworkHasNoNumber) {
  const auto joints =
      decodeSimCc({simCc("x", 48, {{0, kNan}}), simCc("y", 64, {{0, 0.5F}})}, {24, 32});
  ASSERT_TRUE(joints);
  EXPECT_FALSE(joints->front().visibility > 0);
}

TEST(Decoders, TellANetworkThatWentWrong) {
  const NamedTensor good{"good", tensorOf({1, 4}, {1, 2, 3, -kInfinity})};
  EXPECT_EQ(notFinite({good, {"empty", cv::Mat()}, integers("whole", {1}, {7})}), "");
  for (const std::vector<float>& wrong : {std::vector<float>{1, 2, kNan, 4},
                                          {kInfinity, 2, 3, 4},
                                          {kNan, kNan, kNan, kNan},
                                          {-kInfinity, -kInfinity, -kInfinity, -kInfinity}})
    EXPECT_EQ(notFinite({good, {"boxes", tensorOf({1, 4}, wrong)}}),
              "the network's output boxes 1x4 is not finite (look at [input] scale, mean and std, "
              "and at the precision)");
}

TEST(Decoders, KeepNoCandidateWhoseNumbersAreNotFinite) {
  for (const float odd : {kNan, kInfinity, -kInfinity}) {
    for (const int place : {0, 1, 2, 3}) {
      std::vector<float> column{30, 40, 20, 10, 0.9F};
      column[static_cast<std::size_t>(place)] = odd;
      EXPECT_THAT(decodeYolov8({columns("o", 5, 84, {{3, column}})}, {{64, 64}, 0.5F})->list,
                  IsEmpty());
      std::vector<float> row{20, 35, 40, 45, 0.9F, 1};
      row[static_cast<std::size_t>(place)] = odd;
      EXPECT_THAT(decodeEndToEnd({rows("o", {row})}, {{64, 64}, 0.5F})->list, IsEmpty());
      EXPECT_THAT(decodeRtDetrRows({rows("o", {row})}, {{64, 64}, 0.5F})->list, IsEmpty());
      const std::vector<float> box(row.begin(), row.begin() + 4);
      EXPECT_THAT(
          decodeDetr({rows("pred_boxes", {box}), rows("logits", {{9}})}, {{64, 64}, 0.5F})->list,
          IsEmpty());
      EXPECT_THAT(
          decodeObjects(
              {{"b", tensorOf({1, 4}, box)}, {"s", tensorOf({1}, {0.9F})}, integers("l", {1}, {1})},
              {{64, 64}, 0.5F})
              ->list,
          IsEmpty());
    }
    // A score that is none, or more than any.
    const Reading all{.canvas = {64, 64}};
    EXPECT_THAT(decodeYolov8({columns("o", 5, 1, {{0, {30, 40, 20, 10, odd}}})}, {{8, 8}})->list,
                IsEmpty());
    EXPECT_THAT(decodeEndToEnd({rows("o", {{20, 35, 40, 45, odd, 1}})}, all)->list, IsEmpty());
    EXPECT_THAT(decodeObjects({{"b", tensorOf({1, 4}, {20, 35, 40, 45})},
                               {"s", tensorOf({1}, {odd})},
                               integers("l", {1}, {1})},
                              all)
                    ->list,
                IsEmpty());
  }
  EXPECT_THAT(decodeDetr({rows("pred_boxes", {{0.5F, 0.5F, 1, 1}}), rows("logits", {{kNan}})},
                         {{64, 64}, 0})
                  ->list,
              IsEmpty());
}

TEST(Suppression, KeepsTheStrongestOfEachClass) {
  const Box box{0, 0, 10, 10}, near{1, 0, 11, 10}, far{20, 0, 30, 10};
  const auto kept = suppress({{.box = near, .score = 0.5F, .row = 1},
                              {.box = box, .score = 0.9F, .row = 2},
                              {.box = near, .score = 0.4F, .labelId = 1, .row = 3},
                              {.box = far, .score = 0.3F, .row = 4}},
                             0.5, 10);
  std::vector<std::size_t> rows;
  for (const Candidate& candidate : kept) rows.push_back(candidate.row);
  EXPECT_THAT(rows, ElementsAre(2, 3, 4));
  EXPECT_THAT(suppress({{.box = box, .score = 1}, {.box = far, .score = 2}}, 0.5, 1), SizeIs(1));
}

TEST(Suppression, KeepsRotatedObjectsThatCrossAndOneOfThoseThatLieAlike) {
  const float eighth = std::numbers::pi_v<float> / 4;
  const auto rotated = [](const RotatedBox& box, float score) {
    return Candidate{.box = box.hull(), .score = score, .rotated = box};
  };
  const RotatedBox one{50, 50, 100, 10, eighth}, crossing{50, 50, 100, 10, -eighth},
      alike{52, 51, 98, 11, eighth};
  EXPECT_GT(iou(one.hull(), crossing.hull()), 0.99);
  const auto kept =
      suppress({rotated(one, 0.9F), rotated(crossing, 0.8F), rotated(alike, 0.7F)}, 0.7, 10);
  ASSERT_THAT(kept, SizeIs(2));
  EXPECT_EQ(kept[0].rotated, one);
  EXPECT_EQ(kept[1].rotated, crossing);
}

TEST(Suppression, OfRotatedObjectsGoesOnWithThoseThatHaveGone) {
  const auto at = [](float x, float score) {
    const RotatedBox box{x, 50, 40, 40, 0};
    return Candidate{.box = box.hull(), .score = score, .rotated = box};
  };
  std::vector<Candidate> chain{at(50, 0.9F), at(56, 0.8F), at(62, 0.7F)};
  EXPECT_GT(probabilisticIou(*chain[1].rotated, *chain[2].rotated), 0.7);
  EXPECT_LT(probabilisticIou(*chain[0].rotated, *chain[2].rotated), 0.7);
  EXPECT_THAT(suppress(chain, 0.7, 10), SizeIs(1));
  for (Candidate& candidate : chain) candidate.rotated.reset();
  EXPECT_THAT(suppress(chain, 0.7, 10), SizeIs(2));
}

TEST(Suppression, OfVeryManyCandidatesLooksAtTheStrongest) {
  std::vector<Candidate> many;
  for (int i = 0; i < 20000; ++i) {
    const auto x = static_cast<float>(i);
    many.push_back({.box = {x, 0, x + 1, 1}, .score = x});
  }
  const auto kept = suppress(many, 0.5, 20000);
  EXPECT_THAT(kept, SizeIs(10000));
  EXPECT_EQ(kept.front().score, 19999);
}

}  // namespace
}  // namespace elf
