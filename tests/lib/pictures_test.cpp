// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/pictures.h"

#include <gtest/gtest.h>

#include "elf/types/frame_record.h"

namespace elf {
namespace {

Detection at(Box box) {
  return {.box = box, .score = 0.9F};
}

/** A lone part, and two in a canvas of 200x100: 80x100 at 0,0 and 60x60 at 100,20. */
Plan twoInACanvas() {
  Plan plan;
  plan.parts.push_back({.rect = {0, 0, 50, 50}, .server = 1});
  plan.parts.push_back({.rect = {500, 500, 80, 100}, .place = CanvasPlace{0, 0, 0}});
  plan.parts.push_back(
      {.rect = {700, 0, 120, 120}, .scale = 0.5, .place = CanvasPlace{0, 100, 20}});
  plan.canvases.push_back({{200, 100}, 0});
  return plan;
}

std::vector<PartAnswer> answersWith(std::vector<Detection> ofCanvas) {
  const Plan plan = twoInACanvas();
  PartAnswer alone{.state = AnswerState::Answered, .detections = {at({1, 2, 3, 4})}};
  PartAnswer canvas{.state = AnswerState::Answered,
                    .detections = std::move(ofCanvas),
                    .attempts = 2,
                    .bytesSent = 1001};
  return answersOfParts(plan, picturesOf(plan), {alone, canvas});
}

TEST(Pictures, LonePartsComeFirstAndThenCanvases) {
  const Plan plan = twoInACanvas();
  const std::vector<Picture> pictures = picturesOf(plan);
  ASSERT_EQ(pictures.size(), 2U);
  EXPECT_EQ(pictures[0].part, plan.parts[0]);
  EXPECT_FALSE(pictures[0].isCanvas);
  EXPECT_TRUE(pictures[1].isCanvas);
  EXPECT_EQ(pictures[1].part.sentSize(), (Size{200, 100}));
  EXPECT_EQ(pictures[1].part.server, 0);
  EXPECT_EQ(pictures[1].shown, (std::vector<std::size_t>{1, 2}));
}

TEST(Pictures, DetectionsComeBackToTheirParts) {
  const auto answers = answersWith({at({10, 20, 40, 90}), at({110, 30, 140, 70})});
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].detections[0].box, (Box{1, 2, 3, 4}));
  ASSERT_EQ(answers[1].detections.size(), 1U);
  EXPECT_EQ(answers[1].detections[0].box, (Box{10, 20, 40, 90}));
  ASSERT_EQ(answers[2].detections.size(), 1U);
  EXPECT_EQ(answers[2].detections[0].box, (Box{10, 10, 40, 50}));
}

TEST(Pictures, NothingAcrossAGapSurvives) {
  // Over both parts, in the grey between them, and of no size.
  const auto answers =
      answersWith({at({50, 20, 130, 80}), at({82, 10, 98, 90}), at({10, 10, 10, 30})});
  EXPECT_TRUE(answers[1].detections.empty());
  EXPECT_TRUE(answers[2].detections.empty());
  // A box that reaches a little over the rim is clipped.
  const auto clipped = answersWith({at({40, 0, 84, 100})});
  ASSERT_EQ(clipped[1].detections.size(), 1U);
  EXPECT_EQ(clipped[1].detections[0].box, (Box{40, 0, 80, 100}));
}

TEST(Pictures, MasksAndJointsAndRotatedBoxesMoveWithTheirBoxes) {
  Detection detection = at({110, 30, 114, 33});
  detection.mask = Mask({110, 30, 4, 3}, std::vector<std::uint8_t>(12, 1));
  detection.keypoints = {{112, 31, 0.5F}};
  detection.rotated = RotatedBox{112, 31, 4, 2, 0.3F};
  const auto answers = answersWith({detection});
  ASSERT_EQ(answers[2].detections.size(), 1U);
  const Detection& moved = answers[2].detections[0];
  EXPECT_EQ(moved.mask->rect(), (Rect{10, 10, 4, 3}));
  EXPECT_EQ(moved.mask->area(), 12);
  EXPECT_EQ(moved.keypoints[0].x, 12);
  EXPECT_EQ(moved.keypoints[0].y, 11);
  EXPECT_EQ(moved.rotated->centreX, 12);
  EXPECT_EQ(moved.rotated->centreY, 11);
}

TEST(Pictures, EachPartHasTheFateOfItsCanvasAndAShareOfItsBytes) {
  const auto answers = answersWith({});
  EXPECT_EQ(answers[1].attempts, 2);
  EXPECT_EQ(answers[2].attempts, 2);
  EXPECT_EQ(answers[1].bytesSent + answers[2].bytesSent, 1001U);
  EXPECT_GT(answers[1].bytesSent, answers[2].bytesSent) << "8000 of 11600 pixels";
  FrameRecord record;
  record.plan = twoInACanvas();
  record.answers = answers;
  record.answers[0].attempts = 1;
  EXPECT_EQ(record.requestsSent(), 3);
  EXPECT_EQ(record.pixelsSent(), 50 * 50 + 2 * 200 * 100);
}

}  // namespace
}  // namespace elf
