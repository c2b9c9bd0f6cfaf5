// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/merge/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

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

std::vector<Detection> merge(FrameRecord& record, MergeMode mode = MergeMode::Nms) {
  mergeAnswers(record, {.mode = mode});
  return record.detections;
}

TEST(Merge, ShiftsEachAnswerIntoTheFrame) {
  FrameRecord record = twoHalves();
  record.answers[1].detections = {person({10, 20, 60, 120}, 0.9F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{460, 20, 510, 120}));
  EXPECT_EQ(merged[0].server, 1);
}

TEST(Merge, UndoesTheScaleOfAPart) {
  FrameRecord record = twoHalves();
  record.plan->parts[1].scale = 0.5;
  record.answers[1].detections = {person({10, 20, 60, 120}, 0.9F)};
  EXPECT_EQ(merge(record).at(0).box, (Box{470, 40, 570, 240}));
}

Mask filled(const Rect& rect) {
  return {rect, std::vector<std::uint8_t>(static_cast<std::size_t>(rect.area()), 1)};
}

TEST(Merge, MasksAndKeypointsMoveWithTheirBox) {
  FrameRecord record = twoHalves();
  Detection found = person({10, 20, 12, 22}, 0.9F);
  found.mask = Mask({10, 20, 2, 2}, {1, 0, 0, 1});
  found.keypoints = {{11, 21, 0.5F}};
  record.answers[1].detections = {found};
  const Detection merged = merge(record).at(0);
  EXPECT_EQ(merged.mask, Mask({460, 20, 2, 2}, {1, 0, 0, 1}));
  EXPECT_EQ(merged.keypoints.at(0), (Keypoint{461, 21, 0.5F}));

  record.plan->parts[1].scale = 0.5;
  const Detection grown = merge(record).at(0);
  EXPECT_EQ(grown.mask, Mask({470, 40, 4, 4}, {1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(grown.keypoints.at(0), (Keypoint{472, 42, 0.5F}));
}

TEST(Merge, OfPiecesTheMasksAreUnitedAndEachJointIsTheOneThatIsSeenBetter) {
  FrameRecord record = twoHalves();
  Detection left = person({430, 100, 550, 300}, 0.6F);
  left.mask = filled({430, 100, 120, 200});
  left.keypoints = {{440, 110, 0.9F}, {549, 120, 0.3F}};
  Detection right = person({0, 100, 180, 300}, 0.8F);
  right.mask = filled({0, 100, 180, 200});
  right.keypoints = {{1, 110, 0.3F}, {150, 120, 0.8F}};
  record.answers[0].detections = {left};
  record.answers[1].detections = {right};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{430, 100, 630, 300}));
  EXPECT_EQ(merged[0].mask, filled({430, 100, 200, 200}));
  EXPECT_EQ(merged[0].keypoints, (std::vector<Keypoint>{{440, 110, 0.9F}, {600, 120, 0.8F}}));
}

TEST(Merge, TheSameJointsAreOneObjectWhereTheBoxesHardlyAgree) {
  FrameRecord record = twoHalves();
  Detection sitting = person({460, 100, 500, 200}, 0.6F);
  sitting.keypoints = {{470, 110, 0.9F}, {480, 150, 0.9F}};
  Detection whole = person({10, 100, 95, 290}, 0.8F);
  whole.keypoints = {{20, 110, 0.9F}, {30, 150, 0.9F}};
  record.answers[0].detections = {sitting};
  record.answers[1].detections = {whole};
  EXPECT_EQ(merge(record).size(), 1U);
  record.answers[1].detections[0].keypoints = {{60, 180, 0.9F}, {60, 230, 0.9F}};
  EXPECT_EQ(merge(record).size(), 2U);
}

TEST(Merge, OneJointInCommonMakesNoTwoPeopleOne) {
  FrameRecord record = twoHalves();
  Detection left = person({460, 100, 500, 200}, 0.6F);
  left.keypoints = {{499, 150, 0.9F}, {480, 110, 0}};
  Detection right = person({48, 100, 95, 200}, 0.8F);
  right.keypoints = {{49, 150, 0.9F}, {90, 110, 0.9F}};
  record.answers[0].detections = {left};
  record.answers[1].detections = {right};
  EXPECT_EQ(merge(record).size(), 2U);
}

/** With the box around it, of a part of that size. */
Detection ship(const RotatedBox& rotated, float score, Size part = {550, 500}) {
  Detection ship{.box = clip(rotated.hull(), part), .score = score, .label = "ship"};
  ship.rotated = rotated;
  return ship;
}

constexpr float kDiagonal = 0.785398F;

TEST(Merge, ARotatedBoxMovesWithItsBox) {
  FrameRecord record = twoHalves();
  record.answers[1].detections = {ship({120, 80, 60, 20, 0.5F}, 0.9F)};
  EXPECT_EQ(merge(record).at(0).rotated, (RotatedBox{570, 80, 60, 20, 0.5F}));
  record.plan->parts[1].scale = 0.5;
  const Detection grown = merge(record).at(0);
  EXPECT_EQ(grown.rotated, (RotatedBox{690, 160, 120, 40, 0.5F}));
  EXPECT_NEAR(grown.box.x0, grown.rotated->hull().x0, 0.01);
}

TEST(Merge, OfTwoRotatedBoxesForOneObjectTheStrongerStaysOrBothAreUnited) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {ship({500, 250, 60, 20, kDiagonal}, 0.6F)};
  record.answers[1].detections = {ship({52, 252, 58, 20, kDiagonal}, 0.8F)};
  auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].rotated, (RotatedBox{502, 252, 58, 20, kDiagonal}));
  merged = merge(record, MergeMode::Nmm);
  ASSERT_EQ(merged.size(), 1U);
  ASSERT_TRUE(merged[0].rotated);
  // From -30 of the one to 29 behind the other's middle, which is 2.83 farther along.
  EXPECT_NEAR(merged[0].rotated->width, 30 + 29 + 2 * std::sqrt(2), 0.01);
  EXPECT_NEAR(merged[0].rotated->height, 20, 0.01);
  // Where one of the servers tells none, nobody knows that of both.
  record.answers[0].detections[0].rotated.reset();
  EXPECT_FALSE(merge(record, MergeMode::Nmm).at(0).rotated);
}

TEST(Merge, TwoSideBySideAtAnAngleAreNotOneWhereverTheirUprightBoxesLie) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {ship({490, 260, 100, 20, kDiagonal}, 0.6F)};
  record.answers[1].detections = {ship({57, 243, 100, 20, kDiagonal}, 0.8F)};
  EXPECT_EQ(merge(record).size(), 2U);
  for (PartAnswer& answer : record.answers) answer.detections[0].rotated.reset();
  EXPECT_EQ(merge(record).size(), 1U) << "of upright boxes nobody can tell";
}

TEST(Merge, PiecesOfWhatLiesAcrossABorderAtAnAngleBecomeOne) {
  FrameRecord record = twoHalves();
  // 600 long: its two parts see 391 of it each, so far as the border leaves anything.
  const float seen = (50 + 20 / std::sqrt(2.0F)) * std::sqrt(2.0F);
  const float length = 300 + seen, middle = (300 - seen) / 2 / std::sqrt(2.0F);
  record.answers[0].detections = {ship({500 - middle, 250 - middle, length, 40, kDiagonal}, 0.6F)};
  record.answers[1].detections = {ship({50 + middle, 250 + middle, length, 40, kDiagonal}, 0.8F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  const RotatedBox whole{500, 250, 600, 40, kDiagonal};
  ASSERT_TRUE(merged[0].rotated);
  EXPECT_GT(overlapOf(*merged[0].rotated, whole).iou, 0.99);
  EXPECT_GT(iou(merged[0].box, whole.hull()), 0.99);

  // Beside each other they are pieces of two.
  Detection& other = record.answers[1].detections[0];
  other = ship(other.rotated->shifted(30, -30), 0.8F);
  EXPECT_EQ(merge(record).size(), 2U);
}

TEST(Merge, WhatABorderCutsOffAtAnAngleBelongsToTheWhole) {
  FrameRecord record = twoHalves();
  // Of a bar that the right part sees whole the left one sees a triangle, whose box is upright.
  const RotatedBox bar{560, 250, 92, 26, 1.2F};
  record.answers[0].detections = {ship({544, 238, 24, 70, 0}, 0.9F)};
  record.answers[1].detections = {ship(bar.shifted(-450, 0), 0.8F)};
  EXPECT_LT(overlapOf(bar, {544, 238, 24, 70, 0}).overSmaller, 0.6);
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].rotated, bar);
}

TEST(Merge, PiecesOfUprightRotatedBoxesAreAsThoseOfBoxes) {
  FrameRecord record = twoHalves();
  for (const bool rotated : {false, true}) {
    record.answers[0].detections = {person({430, 100, 550, 300}, 0.6F)};
    record.answers[1].detections = {person({0, 100, 180, 300}, 0.8F)};
    for (PartAnswer& answer : record.answers) {
      Detection& piece = answer.detections[0];
      if (rotated) piece.rotated = toRotated(piece.box);
    }
    const auto merged = merge(record);
    ASSERT_EQ(merged.size(), 1U);
    EXPECT_EQ(merged[0].box, (Box{430, 100, 630, 300}));
    ASSERT_EQ(merged[0].rotated.has_value(), rotated);
    if (rotated) {
      EXPECT_EQ(merged[0].rotated, toRotated(merged[0].box));
    }
  }
}

TEST(Merge, MasksThatWouldFillTheMemoryAreLeftOut) {
  FrameRecord record = twoHalves();
  record.size = {10000, 8000};
  record.plan = Plan{.parts = {{.rect = {0, 0, 10000, 8000}, .scale = 0.01}}};
  record.answers.resize(1);
  Detection large = person({0, 0, 100, 80}, 0.9F);
  large.mask = filled({0, 0, 100, 80});
  record.answers[0].detections = {large};
  const Detection merged = merge(record).at(0);
  EXPECT_EQ(merged.box, (Box{0, 0, 10000, 8000}));
  EXPECT_FALSE(merged.mask);
}

TEST(Merge, OfTwoWholeBoxesForOneObjectTheStrongerStays) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({470, 100, 530, 300}, 0.6F)};
  record.answers[1].detections = {person({22, 102, 81, 301}, 0.8F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_FLOAT_EQ(merged[0].score, 0.8F);
}

TEST(Merge, AWholeBoxWinsOverAStrongerPieceAtTheBorder) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({500, 100, 550, 300}, 0.95F)};
  record.answers[1].detections = {person({50, 100, 170, 300}, 0.7F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{500, 100, 620, 300}));
}

TEST(Merge, TwoPiecesOfAnObjectOnTheBorderBecomeOne) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({430, 100, 550, 300}, 0.6F)};
  record.answers[1].detections = {person({0, 104, 180, 302}, 0.8F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{430, 100, 630, 302}));
}

TEST(Merge, WhatABorderCutsIsNotAPieceOfASmallObjectInFrontOfIt) {
  for (const MergeMode mode : {MergeMode::Nms, MergeMode::Nmm}) {
    for (const float score : {0.5F, 0.9F}) {
      FrameRecord record = twoHalves();
      record.answers[0].detections = {person({400, 50, 550, 450}, 0.7F),
                                      person({480, 200, 520, 300}, score)};
      record.answers[1].detections = {person({0, 50, 250, 450}, 0.6F),
                                      person({30, 200, 70, 300}, score)};
      const auto merged = merge(record, mode);
      ASSERT_EQ(merged.size(), 2U) << score;
      const Detection& large = merged[score > 0.7F ? 1 : 0];
      const Detection& small = merged[score > 0.7F ? 0 : 1];
      EXPECT_EQ(large.box, (Box{400, 50, 700, 450}));
      EXPECT_EQ(small.box, (Box{480, 200, 520, 300}));
      EXPECT_TRUE(record.cut.empty());
    }
  }
}

TEST(Merge, NorOfASmallPieceInFrontOfIt) {
  FrameRecord record = twoHalves();
  // The border cuts both; only the right part sees both sides of it.
  record.answers[0].detections = {person({520, 200, 550, 300}, 0.9F)};
  record.answers[1].detections = {person({0, 50, 250, 450}, 0.6F),
                                  person({70, 200, 150, 300}, 0.5F)};
  EXPECT_EQ(merge(record).size(), 2U);
}

TEST(Merge, APieceJoinsTheOneThatItFitsBest) {
  FrameRecord record = twoHalves();
  // An adult, and a child in front.
  record.answers[0].detections = {person({440, 160, 550, 300}, 0.9F),
                                  person({430, 100, 550, 300}, 0.8F)};
  record.answers[1].detections = {person({0, 102, 180, 302}, 0.7F),
                                  person({0, 160, 120, 300}, 0.6F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_EQ(merged[0].box, (Box{440, 160, 570, 300}));
  EXPECT_EQ(merged[1].box, (Box{430, 100, 630, 302}));
}

TEST(Merge, PiecesAtDifferentHeightsAreDifferentObjects) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({430, 0, 550, 150}, 0.6F)};
  record.answers[1].detections = {person({0, 140, 180, 302}, 0.8F)};
  EXPECT_EQ(merge(record).size(), 2U);
}

TEST(Merge, APieceThatIsLeftIsNoObjectButSaysWhereOneMayBe) {
  FrameRecord record = twoHalves();
  record.plan->parts[0].kind = PartKind::Rp;
  // It ends 3 pixels before the border: a network does not end it just there.
  record.answers[0].detections = {person({400, 100, 547, 300}, 0.9F)};
  EXPECT_TRUE(merge(record).empty());
  EXPECT_EQ(record.cut, (std::vector<Rect>{{400, 100, 294, 200}}));
  EXPECT_EQ(feedbackOf(record).unseen, record.cut);
}

TEST(Merge, APieceThatAnRpExpectsIsItsObject) {
  FrameRecord record = twoHalves();
  record.plan->parts[0].kind = PartKind::Rp;
  Rp rp;
  rp.expected = {420, 100, 550, 300};
  record.rps = std::vector{rp};
  record.answers[0].detections = {person({400, 100, 550, 300}, 0.9F)};
  EXPECT_EQ(merge(record).size(), 1U);
  EXPECT_TRUE(record.cut.empty());
}

TEST(Merge, APieceInAFrameThatWasLookedAtAsAWholeIsReported) {
  FrameRecord record = twoHalves();
  for (const PartKind kind : {PartKind::Full, PartKind::Grid}) {
    record.plan->parts[0].kind = kind;
    record.answers[0].detections = {person({400, 100, 550, 300}, 0.9F)};
    EXPECT_EQ(merge(record).size(), 1U);
    EXPECT_EQ(record.cut.size(), 1U);
  }
}

TEST(Merge, ThePiecesOfAnObjectOnTheBorderAreNoPieceAnyMore) {
  FrameRecord record = twoHalves();
  for (Part& part : record.plan->parts) part.kind = PartKind::Scan;
  record.answers[0].detections = {person({430, 100, 550, 300}, 0.6F)};
  record.answers[1].detections = {person({0, 104, 180, 302}, 0.8F)};
  EXPECT_EQ(merge(record).size(), 1U);
  EXPECT_TRUE(record.cut.empty());
}

TEST(Merge, APieceIsNotCutWhereAnotherPieceShowsItsEnd) {
  // The second part begins just where the object does; the first one shows what is above.
  FrameRecord record;
  record.size = {320, 240};
  record.plan = Plan{{{.rect = {129, 128, 61, 67}, .kind = PartKind::Rp},
                      {.rect = {160, 136, 48, 48}, .kind = PartKind::Scan}},
                     0};
  record.answers.resize(2, {.state = AnswerState::Answered});
  record.answers[0].detections = {person({21, 10, 59.5, 48}, 0.9F)};
  record.answers[1].detections = {person({0, 1.5, 28.5, 40}, 0.8F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{150, 137.5, 188.5, 176}));
  EXPECT_TRUE(record.cut.empty());
  // The same, lying on its side.
  record.plan->parts[0].rect = {128, 129, 67, 61};
  record.plan->parts[1].rect = {136, 160, 48, 48};
  record.answers[0].detections = {person({10, 21, 48, 59.5}, 0.9F)};
  record.answers[1].detections = {person({1.5, 0, 40, 28.5}, 0.8F)};
  EXPECT_EQ(merge(record).size(), 1U);
  // Where the piece reaches out further than the other one, nobody has seen its end.
  record.answers[0].detections = {person({16, 21, 48, 59.5}, 0.9F)};
  record.answers[1].detections = {person({0, 0, 40, 28.5}, 0.8F)};
  EXPECT_TRUE(merge(record).empty());
  EXPECT_EQ(record.cut.size(), 1U);
}

/** A frame of whole parts that lie side by side, each with a piece in its own pixels. */
FrameRecord whole(Size frame, const std::vector<std::pair<Rect, Detection>>& pieces) {
  FrameRecord record;
  record.size = frame;
  record.plan.emplace();
  for (const auto& [rect, piece] : pieces) {
    record.plan->parts.push_back({.rect = rect});
    record.answers.push_back({.state = AnswerState::Answered, .detections = {piece}});
  }
  return record;
}

TEST(Merge, ThePiecesInThreePartsAreOneObjectHoweverSureTheModelIsOfEach) {
  for (const auto& [left, middle, right] :
       {std::tuple{0.9F, 0.6F, 0.8F}, {0.6F, 0.9F, 0.8F}, {0.8F, 0.6F, 0.9F}}) {
    FrameRecord record =
        whole({900, 300}, {{{0, 0, 310, 300}, person({100, 50, 310, 250}, left)},
                           {{290, 0, 320, 300}, person({0, 50, 320, 250}, middle)},
                           {{590, 0, 310, 300}, person({0, 50, 210, 250}, right)}});
    const auto merged = merge(record);
    ASSERT_EQ(merged.size(), 1U);
    EXPECT_EQ(merged[0].box, (Box{100, 50, 800, 250}));
    EXPECT_TRUE(record.cut.empty());
  }
}

TEST(Merge, ThePiecesInFourPartsAreOneObject) {
  std::vector<float> scores{0.6F, 0.7F, 0.8F, 0.9F};
  do {
    FrameRecord record =
        whole({1000, 1000}, {{{0, 0, 510, 510}, person({250, 250, 510, 510}, scores[0])},
                             {{490, 0, 510, 510}, person({0, 250, 260, 510}, scores[1])},
                             {{0, 490, 510, 510}, person({250, 0, 510, 260}, scores[2])},
                             {{490, 490, 510, 510}, person({0, 0, 260, 260}, scores[3])}});
    const auto merged = merge(record);
    ASSERT_EQ(merged.size(), 1U);
    EXPECT_EQ(merged[0].box, (Box{250, 250, 750, 750}));
  } while (std::ranges::next_permutation(scores).found);
}

TEST(Merge, AtTheEdgeOfTheFrameNothingIsCut) {
  FrameRecord record = twoHalves();
  record.plan->parts[0].kind = PartKind::Rp;
  record.answers[0].detections = {person({0, 0, 100, 500}, 0.9F)};
  EXPECT_EQ(merge(record).size(), 1U);
}

TEST(Merge, OverlappingBoxesAreMergedIfAskedFor) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({460, 100, 530, 300}, 0.6F)};
  record.answers[1].detections = {person({22, 102, 81, 310}, 0.8F)};
  const auto merged = merge(record, MergeMode::Nmm);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{460, 100, 531, 310}));
  EXPECT_FLOAT_EQ(merged[0].score, 0.8F);
}

// A frame of 1000x500: a part in full resolution in the middle, and all of it at half.
FrameRecord withLrc() {
  FrameRecord record;
  record.size = {1000, 500};
  record.plan = Plan{{{.rect = {400, 100, 200, 300}, .kind = PartKind::Rp},
                      {.rect = {0, 0, 1000, 500}, .scale = 0.5, .kind = PartKind::Lrc}},
                     0};
  record.answers.resize(2);
  for (PartAnswer& answer : record.answers) answer.state = AnswerState::Answered;
  return record;
}

TEST(Merge, AnLrcFindsWhatIsNew) {
  FrameRecord record = withLrc();
  record.answers[1].detections = {person({50, 50, 90, 150}, 0.9F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{100, 100, 180, 300}));
}

TEST(Merge, AnLrcSaysNothingOfWhatAPartShowsWhole) {
  FrameRecord record = withLrc();
  record.answers[1].detections = {person({220, 80, 260, 160}, 0.9F)};
  EXPECT_TRUE(merge(record).empty());
}

TEST(Merge, AnLrcSeesMoreThanAPartThatWasScaledDownFurther) {
  FrameRecord record = withLrc();
  record.plan->parts[0].scale = 0.25;
  record.answers[1].detections = {person({220, 80, 230, 100}, 0.9F)};
  EXPECT_EQ(merge(record).size(), 1U);
}

TEST(Merge, WhatAnLrcSeesOfAKnownObjectIsThatObject) {
  FrameRecord record = withLrc();
  record.answers[0].detections = {person({10, 20, 90, 280}, 0.5F)};
  // Coarser, stronger, and reaching out of the part.
  record.answers[1].detections = {person({190, 50, 250, 190}, 0.9F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{410, 120, 490, 380}));
}

TEST(Merge, AnObjectLargerThanAnyPartIsFoundByTheLrc) {
  FrameRecord record = withLrc();
  record.answers[0].detections = {person({0, 0, 200, 300}, 0.9F)};
  record.answers[1].detections = {person({100, 10, 400, 240}, 0.6F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{200, 20, 800, 480}));
}

TEST(Merge, ObjectsThatWereNotFoundAreAddedForViewers) {
  FrameRecord record = withLrc();
  Rp found, missed, region;
  found.id = 3;
  missed.id = 4;
  missed.expected = {1, 2, 3, 4};
  record.rps = std::vector{found, missed, region};
  record.detections = {person({10, 10, 20, 20}, 0.9F)};
  record.detections[0].id = 3;
  addMissed(record);
  ASSERT_EQ(record.detections.size(), 2U);
  EXPECT_EQ(record.detections[1].id, 4);
  EXPECT_TRUE(record.detections[1].coasted);
  EXPECT_EQ(record.detections[1].box, missed.expected);
}

TEST(Merge, APlaceOfWhichNothingIsExpectedNeverStandsIn) {
  FrameRecord record = twoHalves();
  Rp place;
  place.box = {10, 10, 60, 60};
  record.rps = std::vector{place};
  record.plan->parts[0].rps = {0};
  for (PartAnswer& answer : record.answers) answer.state = AnswerState::Failed;
  mergeAnswers(record);
  EXPECT_TRUE(record.detections.empty());
  record.skipped = true;
  mergeAnswers(record);
  EXPECT_TRUE(record.detections.empty());
}

TEST(Merge, TheModelsOwnSuppressionIsTrustedInsideOnePart) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({100, 100, 200, 300}, 0.9F),
                                  person({105, 100, 205, 300}, 0.8F)};
  EXPECT_EQ(merge(record).size(), 2U);
}

Detection ofClass(std::int64_t labelId, Box box, float score) {
  return {.box = box, .score = score, .labelId = labelId};
}
std::vector<Detection> mergeAcrossClasses(FrameRecord& record, MergeMode mode = MergeMode::Nms) {
  mergeAnswers(record, {.mode = mode, .acrossClasses = true});
  return record.detections;
}

TEST(Merge, AVanThatIsACarInOnePartAndATruckInAnotherIsOneIfAskedFor) {
  FrameRecord record = twoHalves();
  // Whole in both.
  record.answers[0].detections = {ofClass(2, {470, 100, 540, 160}, 0.6F)};
  record.answers[1].detections = {ofClass(7, {22, 102, 92, 162}, 0.8F)};
  EXPECT_EQ(merge(record).size(), 2U);
  auto merged = mergeAcrossClasses(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].labelId, 7) << "the stronger one";
  EXPECT_EQ(merged[0].box, (Box{472, 102, 542, 162}));
  merged = mergeAcrossClasses(record, MergeMode::Nmm);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{470, 100, 542, 162}));

  // Cut by the border of one.
  record.answers[0].detections = {ofClass(2, {470, 100, 550, 160}, 0.9F)};
  record.answers[1].detections = {ofClass(7, {20, 100, 200, 160}, 0.8F)};
  merged = mergeAcrossClasses(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].labelId, 7) << "the whole one";

  // Cut by the borders of both.
  record.answers[0].detections = {ofClass(2, {300, 100, 550, 160}, 0.9F)};
  record.answers[1].detections = {ofClass(7, {0, 100, 250, 160}, 0.8F)};
  EXPECT_EQ(merge(record).size(), 2U);
  merged = mergeAcrossClasses(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_EQ(merged[0].box, (Box{300, 100, 700, 160}));
}

TEST(Merge, AcrossClassesObjectsInFrontOfEachOtherAreTwo) {
  FrameRecord record = twoHalves();
  // A person in front of a van, cut by the border of one part.
  record.answers[0].detections = {ofClass(0, {530, 150, 550, 180}, 0.9F)};
  record.answers[1].detections = {ofClass(7, {20, 100, 400, 190}, 0.8F),
                                  ofClass(0, {80, 150, 100, 180}, 0.8F)};
  const auto merged = mergeAcrossClasses(record);
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_EQ(std::ranges::count(merged, 7, &Detection::labelId), 1);
  // Inside one part the model's own suppression is trusted.
  record.answers[0].detections = {ofClass(2, {100, 100, 200, 200}, 0.9F),
                                  ofClass(7, {100, 100, 200, 200}, 0.8F)};
  record.answers[1].detections = {};
  EXPECT_EQ(mergeAcrossClasses(record).size(), 2U);
}

TEST(Merge, AcrossClassesWhatWasFoundIsNotCoastedToo) {
  FrameRecord record = twoHalves();
  Rp rp;
  rp.box = rp.expected = {470, 100, 540, 160};
  rp.labelId = 2;
  rp.id = 5;
  record.rps = std::vector<Rp>{rp};
  record.plan->parts[0].rps = {0};
  record.answers[0].state = AnswerState::Failed;
  record.answers[1].detections = {ofClass(7, {20, 100, 90, 160}, 0.8F)};
  EXPECT_EQ(merge(record).size(), 2U);
  EXPECT_EQ(mergeAcrossClasses(record).size(), 1U);
}

TEST(Merge, DifferentClassesAreDifferentObjects) {
  FrameRecord record = twoHalves();
  record.answers[0].detections = {person({470, 100, 530, 300}, 0.6F)};
  Detection bag = person({20, 100, 80, 300}, 0.8F);
  bag.labelId = 24;
  record.answers[1].detections = {bag};
  EXPECT_EQ(merge(record).size(), 2U);
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
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_TRUE(merged[0].coasted);
  EXPECT_EQ(merged[0].id, 5);
  EXPECT_EQ(merged[0].server, -1);
  EXPECT_TRUE(feedbackOf(record).looked);
}

TEST(Merge, WhatAnotherPartFoundIsNotCoastedToo) {
  FrameRecord record = twoHalves();
  Rp rp;
  rp.expected = {460, 100, 500, 200};
  record.rps = std::vector<Rp>{rp};
  record.plan->parts[1].rps = {0};
  record.answers[1].state = AnswerState::Failed;
  record.answers[0].detections = {person({462, 101, 502, 201}, 0.9F)};
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_FALSE(merged[0].coasted);
  // A neighbour is another object, and so is one of another class.
  record.answers[0].detections = {person({380, 101, 440, 201}, 0.9F)};
  EXPECT_EQ(merge(record).size(), 2U);
  record.answers[0].detections = {person({462, 101, 502, 201}, 0.9F)};
  record.answers[0].detections[0].labelId = 3;
  EXPECT_EQ(merge(record).size(), 2U);
}

TEST(Merge, AnRpThatNoPartHoldsWholeIsCoastedWhereAPieceGotNoAnswer) {
  FrameRecord record = twoHalves();
  Rp rp;
  rp.box = rp.expected = {300, 100, 700, 200};
  record.rps = std::vector<Rp>{rp};
  EXPECT_TRUE(merge(record).empty()) << "both parts were answered, and saw nothing";
  record.answers[1].state = AnswerState::Failed;
  const auto merged = merge(record);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_TRUE(merged[0].coasted);
}

TEST(Merge, ACrowdSurvivesNoiseThatIsWeaker) {
  // Each of 500 people is seen by both parts, where these overlap, among 1600 boxes of noise.
  FrameRecord record = twoHalves();
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    const auto x = static_cast<float>(10 + i % 20 * 4), y = static_cast<float>(i / 20 * 18 + 10);
    record.answers[0].detections.push_back(person({450 + x, y, 453 + x, y + 15}, 0.6F));
    record.answers[1].detections.push_back(person({x, y, x + 3, y + 15}, 0.5F));
  }
  std::uniform_real_distribution<float> place(100, 400), side(2, 50), score(0, 0.49F);
  for (int i = 0; i < 1600; ++i) {
    const float x = place(random), y = place(random);
    record.answers[i % 2].detections.push_back(
        person({x, y, x + side(random), y + side(random)}, score(random)));
  }
  const auto merged = merge(record);
  EXPECT_EQ(merged.size(), kMostDetections);
  EXPECT_EQ(std::ranges::count(merged, 0.6F, &Detection::score), 500);
  EXPECT_EQ(std::ranges::count(merged, 0.5F, &Detection::score), 0) << "they are the same object";
}

TEST(Merge, OfTooManyBoxesOfOneScoreTheFirstAreKept) {
  FrameRecord record = twoHalves();
  for (PartAnswer& answer : record.answers)
    for (int i = 0; i < 1500; ++i) {
      const auto x = static_cast<float>(i % 50 * 5), y = static_cast<float>(i / 50 * 10);
      answer.detections.push_back(person({100 + x, y, 104 + x, y + 8}, 0.5F));
    }
  record.answers[1].detections.push_back(person({400, 400, 410, 410}, 0.9F));
  const auto merged = merge(record);
  EXPECT_EQ(merged.size(), kMostDetections);
  EXPECT_EQ(merged[0].score, 0.9F);
}

TEST(Merge, PartsWithoutAnswerAreFedBackAsUnseen) {
  FrameRecord record = twoHalves();
  record.answers[1].state = AnswerState::Failed;
  merge(record);
  EXPECT_EQ(feedbackOf(record).unseen, (std::vector<Rect>{{450, 0, 550, 500}}));
}

TEST(Merge, ASkippedFrameCoastsAllAndIsNoEvidence) {
  FrameRecord record;
  record.size = {1000, 500};
  record.skipped = true;
  record.rps = std::vector<Rp>(3, {.box = {0, 0, 90, 90}, .expected = {10, 10, 80, 80}});
  EXPECT_EQ(merge(record).size(), 3U);
  EXPECT_FALSE(feedbackOf(record).looked);
}

TEST(Merge, CoastedBoxesOfASkippedFrameAreStrongestFirst) {
  FrameRecord record;
  record.size = {1000, 500};
  record.skipped = true;
  const Box box{10, 10, 80, 80};
  record.rps = {{.box = box, .expected = box, .score = 0.5F},
                {.box = box, .expected = box, .score = 0.9F}};
  EXPECT_GT(merge(record).at(0).score, 0.6F);
}

TEST(Merge, AnEmptyPlanIsLookedAtAndHoldsNothing) {
  FrameRecord record;
  record.plan = Plan{};
  EXPECT_TRUE(merge(record).empty());
  EXPECT_TRUE(feedbackOf(record).looked);
}

TEST(Merge, AFrameThatNoServerAnsweredIsNoEvidence) {
  FrameRecord record = twoHalves();
  for (PartAnswer& answer : record.answers) answer.state = AnswerState::Failed;
  EXPECT_FALSE(feedbackOf(record).looked);
}

}  // namespace
}  // namespace elf
