// SPDX-License-Identifier: LGPL-2.1-or-later
// Decoders on tensors that are made by hand. Those of real networks: networks_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "elf/decode/decoder.h"
#include "tests/support/near.h"

namespace elf {
namespace {

using ::testing::ElementsAre;
using testing::expectNear;
using ::testing::IsEmpty;
using ::testing::SizeIs;

cv::Mat zeros(const std::vector<int>& shape) {
  return {shape, CV_32F, cv::Scalar(0)};
}

/** A tensor 1 x rows x columns. */
NamedTensor rows(const std::string& name, const std::vector<std::vector<float>>& values) {
  cv::Mat tensor =
      zeros({1, static_cast<int>(values.size()), static_cast<int>(values.front().size())});
  float* at = tensor.ptr<float>();
  for (const auto& row : values) at = std::copy(row.begin(), row.end(), at);
  return {name, tensor};
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
    OutputDecoder::Yolox,     OutputDecoder::DarknetRegion, OutputDecoder::Yolov5,
    OutputDecoder::Yolov8,    OutputDecoder::Yolov8Seg,     OutputDecoder::FastestDet,
    OutputDecoder::NanoDet,   OutputDecoder::Ssd,           OutputDecoder::MaskRcnn,
    OutputDecoder::UltraFace, OutputDecoder::YuNet};

TEST(Decoders, RefuseTensorsOfAnotherLayout) {
  for (const OutputDecoder layout : kWholePicture) {
    SCOPED_TRACE(static_cast<int>(layout));
    const Decoder decode = decoderFor(layout);
    ASSERT_TRUE(decode);
    const Reading reading{.canvas = {64, 64}, .minScore = 0.5F};
    EXPECT_FALSE(decode({}, reading));
    EXPECT_FALSE(decode({{"other", zeros({2, 3})}}, reading));
    EXPECT_FALSE(decode({{"other", zeros({1, 3, 4})}, {"more", zeros({1, 3, 4, 5})}}, reading));
    EXPECT_FALSE(decode({{"bytes", cv::Mat(std::vector<int>{1, 84, 85}, CV_8U)}}, reading));
  }
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
  cv::Mat tensor = zeros({1, 4 + 3, 84});
  const auto set = [&](int candidate, const std::vector<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i)
      tensor.at<float>(0, static_cast<int>(i), candidate) = values[i];
  };
  set(2, {30, 40, 20, 10, 0.1F, 0.2F, 0.7F});
  set(5, {30, 40, 20, 10, 0.1F, 0.4F, 0.2F});
  expectOne(decodeYolov8({{"output0", tensor}}, {{64, 64}, 0.5F}), {20, 35, 40, 45}, 0.7F, 2);
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
