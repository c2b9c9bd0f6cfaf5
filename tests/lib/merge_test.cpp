// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/merge/merge.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

Detection person(Box box, float score) {
  return {.box = box, .score = score, .labelId = 0, .label = "person"};
}

// A frame of 1000x500 with two parts side by side that overlap between x = 450 and x = 550.
FrameRecord twoHalves() {
  FrameRecord record;
  record.size = {1000, 500};
  record.plan =
      Plan{{{.rect = {0, 0, 550, 500}, .server = 0}, {.rect = {450, 0, 550, 500}, .server = 1}}, 0};
  record.answers.resize(2);
  for (int i = 0; i < 2; ++i) {
    record.answers[i].state = AnswerState::Answered;
    record.answers[i].server = i;
  }
  return record;
}

TEST(Merge, ShiftsEachAnswerIntoTheFrame) {
  FrameRecord record = twoHalves();
  record.answers[1].detections = {person({10, 20, 60, 120}, 0.9F)};
  const auto merged = mergeAnswers(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{460, 20, 510, 120}));
  EXPECT_EQ(merged[0].server, 1);
}

TEST(Merge, UndoesTheScaleOfAPart) {
  FrameRecord record = twoHalves();
  record.plan->parts[1].scale = 0.5;
  record.answers[1].detections = {person({10, 20, 60, 120}, 0.9F)};
  EXPECT_EQ(mergeAnswers(record).at(0).box, (Box{470, 40, 570, 240}));
}

TEST(Merge, OfTwoWholeBoxesForOneObjectTheStrongerStays) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({470, 100, 530, 300}, 0.6F)};
  record.answers[1].detections = {person({22, 102, 81, 301}, 0.8F)};
  const auto merged = mergeAnswers(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_FLOAT_EQ(merged[0].score, 0.8F);
}

TEST(Merge, AWholeBoxWinsOverAStrongerPieceAtTheBorder) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({500, 100, 550, 300}, 0.95F)};
  record.answers[1].detections = {person({50, 100, 170, 300}, 0.7F)};
  const auto merged = mergeAnswers(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{500, 100, 620, 300}));
}

TEST(Merge, TwoPiecesOfAnObjectOnTheBorderBecomeOne) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({430, 100, 550, 300}, 0.6F)};
  record.answers[1].detections = {person({0, 104, 180, 302}, 0.8F)};
  const auto merged = mergeAnswers(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{430, 100, 630, 302}));
}

TEST(Merge, PiecesAtDifferentHeightsAreDifferentObjects) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({430, 0, 550, 150}, 0.6F)};
  record.answers[1].detections = {person({0, 140, 180, 302}, 0.8F)};
  EXPECT_EQ(mergeAnswers(record).size(), 2U);
}

TEST(Merge, TheModelsOwnSuppressionIsTrustedInsideOnePart) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({100, 100, 200, 300}, 0.9F),
                                  person({105, 100, 205, 300}, 0.8F)};
  EXPECT_EQ(mergeAnswers(record).size(), 2U);
}

TEST(Merge, DifferentClassesAreDifferentObjects) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({470, 100, 530, 300}, 0.6F)};
  Detection bag = person({20, 100, 80, 300}, 0.8F);
  bag.labelId = 24;
  record.answers[1].detections = {bag};
  EXPECT_EQ(mergeAnswers(record).size(), 2U);
}

TEST(Merge, RpsOfAPartWithoutAnswerAreCoasted) {
  FrameRecord record = twoHalves();
  Rp lost;
  lost.expected = {600, 100, 650, 200};
  lost.id = 5;
  Rp answered;
  answered.expected = {10, 10, 20, 20};
  record.rps = std::vector<Rp>{answered, lost};
  record.plan->parts[0].rps = {0};
  record.plan->parts[1].rps = {1};
  record.answers[1].state = AnswerState::Late;
  const auto merged = mergeAnswers(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_TRUE(merged[0].coasted);
  EXPECT_EQ(merged[0].id, 5);
  EXPECT_EQ(merged[0].server, -1);
  EXPECT_TRUE(wasLookedAt(record));
}

TEST(Merge, ASkippedFrameCoastsAllAndIsNoEvidence) {
  FrameRecord record;
  record.size = {1000, 500};
  record.skipped = true;
  record.rps = std::vector<Rp>(3);
  EXPECT_EQ(mergeAnswers(record).size(), 3U);
  EXPECT_FALSE(wasLookedAt(record));
}

TEST(Merge, AnEmptyPlanIsLookedAtAndHoldsNothing) {
  FrameRecord record;
  record.plan = Plan{};
  EXPECT_TRUE(mergeAnswers(record).empty());
  EXPECT_TRUE(wasLookedAt(record));
}

TEST(Merge, AFrameThatNoServerAnsweredIsNoEvidence) {
  FrameRecord record = twoHalves();
  for (PartAnswer& answer : record.answers) answer.state = AnswerState::Failed;
  EXPECT_FALSE(wasLookedAt(record));
}

}  // namespace
}  // namespace elf
