// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/agreement/agreement.h"

#include <gtest/gtest.h>

#include <random>

namespace elf::eval {
namespace {

Detection found(const Box& box, float score = 1, std::int64_t label = 0) {
  Detection detection;
  detection.box = box;
  detection.score = score;
  detection.labelId = label;
  return detection;
}

/** A box 100 high and `x` pixels right of {0, 0, 100, 100}: x = 25 overlaps it by 0.6. */
Box boxAt(float x) {
  return {x, 0, x + 100, 100};
}

std::vector<Detection> randomFrame(std::mt19937& random, int count) {
  std::uniform_real_distribution<float> place(0, 120), side(20, 60), score(0, 1);
  std::uniform_int_distribution<int> label(0, 1);
  std::vector<Detection> frame;
  for (int i = 0; i < count; ++i) {
    const float x = place(random), y = place(random);
    frame.push_back(
        found({x, y, x + side(random), y + side(random)}, score(random), label(random)));
  }
  return frame;
}

TEST(MatchDetections, TakesTheHighestOverlapFirst) {
  const std::vector<Detection> a = {found(boxAt(0)), found(boxAt(20))};
  const std::vector<Detection> b = {found(boxAt(18)), found(boxAt(100))};
  EXPECT_EQ(matchDetections(a, b, 0.5), (std::vector<Pair>{{1, 0}}));
}

TEST(MatchDetections, IsOneToOne) {
  const std::vector<Detection> one = {found(boxAt(0))};
  const std::vector<Detection> twice = {found(boxAt(0)), found(boxAt(0))};
  EXPECT_EQ(matchDetections(one, twice, 0.5).size(), 1U);
  EXPECT_EQ(matchDetections(twice, one, 0.5).size(), 1U);
  EXPECT_EQ(matchDetections(twice, twice, 0.5).size(), 2U);
}

TEST(MatchDetections, TheThresholdItselfMatches) {
  // The common part is 50 x 100, all together 150 x 100.
  const std::vector<Detection> a = {found(boxAt(0))}, b = {found(boxAt(50))};
  EXPECT_EQ(matchDetections(a, b, 5000.0 / 15000.0).size(), 1U);
  EXPECT_EQ(matchDetections(a, b, 0.334).size(), 0U);
}

TEST(MatchDetections, BoxesThatDoNotTouchNeverMatch) {
  const std::vector<Detection> a = {found(boxAt(0))}, b = {found(boxAt(100))};
  EXPECT_TRUE(matchDetections(a, b, 0).empty());
}

TEST(MatchDetections, ClassesDoNotMix) {
  const std::vector<Detection> a = {found(boxAt(0), 1, 1)}, b = {found(boxAt(0), 1, 2)};
  EXPECT_TRUE(matchDetections(a, b, 0.5).empty());
}

TEST(MatchDetections, ACoastedDetectionFindsNoPartner) {
  std::vector<Detection> a = {found(boxAt(0))};
  const std::vector<Detection> b = a;
  a[0].coasted = true;
  EXPECT_TRUE(matchDetections(a, b, 0.5).empty());
  EXPECT_TRUE(matchDetections(b, a, 0.5).empty());
}

TEST(Figures, AreSharesAndTheirHarmonicMean) {
  const Figures result =
      figures({.reference = 4, .referenceMatched = 3, .found = 6, .foundMatched = 3});
  EXPECT_DOUBLE_EQ(result.precision, 0.5);
  EXPECT_DOUBLE_EQ(result.recall, 0.75);
  EXPECT_DOUBLE_EQ(result.f1, 0.6);
}

TEST(Figures, NothingAgreesFullyWithNothing) {
  const Figures result = figures({});
  EXPECT_EQ(result.precision, 1);
  EXPECT_EQ(result.recall, 1);
  EXPECT_EQ(result.f1, 1);
}

TEST(Figures, NothingFoundOfSomethingIsZero) {
  const Figures result = figures({.reference = 2});
  EXPECT_EQ(result.precision, 1);
  EXPECT_EQ(result.recall, 0);
  EXPECT_EQ(result.f1, 0);
}

TEST(Figures, SomethingFoundOfNothingIsZero) {
  const Figures result = figures({.found = 2});
  EXPECT_EQ(result.precision, 0);
  EXPECT_EQ(result.recall, 1);
  EXPECT_EQ(result.f1, 0);
}

TEST(ComparePlain, CountsOnlyScoresFromTheThresholdOn) {
  const std::vector<Detection> reference = {found(boxAt(0), 0.9F), found(boxAt(200), 0.2F)};
  const std::vector<Detection> seen = {found(boxAt(0), 0.3F), found(boxAt(400), 0.3F),
                                       found(boxAt(200), 0.25F)};
  EXPECT_EQ(comparePlain(reference, seen, 0.5, 0.3F),
            (Counts{.reference = 1, .referenceMatched = 1, .found = 2, .foundMatched = 1}));
}

TEST(ComparePlain, ACoastedDetectionIsMissingAndFalse) {
  const std::vector<Detection> reference = {found(boxAt(0))};
  std::vector<Detection> seen = reference;
  seen[0].coasted = true;
  EXPECT_EQ(comparePlain(reference, seen, 0.5, 0),
            (Counts{.reference = 1, .referenceMatched = 0, .found = 1, .foundMatched = 0}));
}

TEST(CompareConfident, AScoreThatFlickersAroundTheSureScoreChangesNothing) {
  const std::vector<Detection> reference = {found(boxAt(0), 0.52F), found(boxAt(200), 0.48F)};
  const std::vector<Detection> seen = {found(boxAt(0), 0.48F), found(boxAt(200), 0.52F)};
  EXPECT_EQ(compareConfident(reference, seen, 0.5, 0.3F, 0.5F),
            (Counts{.reference = 1, .referenceMatched = 1, .found = 1, .foundMatched = 1}));
}

TEST(CompareConfident, APartnerBelowTheMinimumScoreDoesNotCount) {
  const std::vector<Detection> reference = {found(boxAt(0), 0.6F)};
  const std::vector<Detection> seen = {found(boxAt(0), 0.2F), found(boxAt(200), 0.7F)};
  EXPECT_EQ(compareConfident(reference, seen, 0.5, 0.3F, 0.5F),
            (Counts{.reference = 1, .referenceMatched = 0, .found = 1, .foundMatched = 0}));
}

TEST(CompareConfident, AnUnsureBoxDoesNotTakeThePartnerOfASureOne) {
  // The unsure box of the reference lies closer to what was found than the sure one.
  const std::vector<Detection> reference = {found(boxAt(10), 0.6F), found(boxAt(0), 0.4F)};
  const std::vector<Detection> seen = {found(boxAt(0), 0.7F)};
  EXPECT_EQ(compareConfident(reference, seen, 0.5, 0.3F, 0.5F),
            (Counts{.reference = 1, .referenceMatched = 1, .found = 1, .foundMatched = 1}));
}

TEST(CompareConfident, IdenticalFramesAgreeFully) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    const auto frame = randomFrame(random, round % 12);
    for (const double minIou : {0.5, 0.75}) {
      EXPECT_EQ(figures(compareConfident(frame, frame, minIou, 0.3F, 0.5F)).f1, 1);
      EXPECT_EQ(figures(comparePlain(frame, frame, minIou, 0.3F)).f1, 1);
    }
  }
}

TEST(CompareConfident, SwappingTheSidesExchangesPrecisionAndRecall) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    const auto a = randomFrame(random, 8), b = randomFrame(random, 11);
    const Figures there = figures(compareConfident(a, b, 0.3, 0.2F, 0.5F));
    const Figures back = figures(compareConfident(b, a, 0.3, 0.2F, 0.5F));
    EXPECT_EQ(there.precision, back.recall);
    EXPECT_EQ(there.recall, back.precision);
    EXPECT_DOUBLE_EQ(there.f1, back.f1);
  }
}

TEST(CompareConfident, AHigherOverlapNeverFindsMorePartners) {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    const auto a = randomFrame(random, 10), b = randomFrame(random, 10);
    EXPECT_GE(comparePlain(a, b, 0.3, 0).foundMatched, comparePlain(a, b, 0.5, 0).foundMatched);
  }
}

TEST(TruthComparison, AveragePrecisionIsTheAreaUnderTheInterpolatedCurve) {
  // By falling score: right, false, right, false, right; one of four objects is never found.
  // Precision at the right ones: 1, 2/3, 3/5, so AP = (1 + 2/3 + 3/5) / 4.
  TruthComparison comparison(0.5);
  const std::vector<Box> first = {boxAt(0), boxAt(200)};
  const std::vector<Box> second = {boxAt(0), boxAt(200)};
  comparison.add(first, {},
                 std::vector<Detection>{found(boxAt(0), 0.9F), found(boxAt(400), 0.8F),
                                        found(boxAt(200), 0.5F)});
  comparison.add(second, {},
                 std::vector<Detection>{found(boxAt(0), 0.7F), found(boxAt(400), 0.6F)});
  const TruthFigures result = comparison.figures();
  EXPECT_DOUBLE_EQ(result.ap, (1 + 2.0 / 3 + 3.0 / 5) / 4);
  EXPECT_DOUBLE_EQ(result.precision, 3.0 / 5);
  EXPECT_DOUBLE_EQ(result.recall, 3.0 / 4);
  EXPECT_DOUBLE_EQ(result.f1, 2.0 / 3);
}

TEST(TruthComparison, InterpolationTakesTheHighestPrecisionOfAnyGreaterRecall) {
  // By falling score: false, right, right: precision 1/2 and then 2/3, which holds for both.
  TruthComparison comparison(0.5);
  comparison.add(std::vector<Box>{boxAt(0), boxAt(200)}, {},
                 std::vector<Detection>{found(boxAt(400), 0.9F), found(boxAt(0), 0.8F),
                                        found(boxAt(200), 0.7F)});
  EXPECT_DOUBLE_EQ(comparison.figures().ap, 2.0 / 3);
}

TEST(TruthComparison, ASecondDetectionOfOneObjectIsFalse) {
  TruthComparison comparison(0.5);
  comparison.add(std::vector<Box>{boxAt(0)}, {},
                 std::vector<Detection>{found(boxAt(0), 0.9F), found(boxAt(0), 0.8F)});
  EXPECT_DOUBLE_EQ(comparison.figures().precision, 0.5);
  EXPECT_DOUBLE_EQ(comparison.figures().ap, 1);
}

TEST(TruthComparison, ADetectionOnABoxToBeIgnoredIsNotCounted) {
  TruthComparison comparison(0.5);
  comparison.add(std::vector<Box>{boxAt(0)}, std::vector<Box>{boxAt(200)},
                 std::vector<Detection>{found(boxAt(200), 0.9F), found(boxAt(0), 0.8F)});
  EXPECT_DOUBLE_EQ(comparison.figures().f1, 1);
  EXPECT_DOUBLE_EQ(comparison.figures().ap, 1);
}

TEST(TruthComparison, ACoastedDetectionIsFalse) {
  std::vector<Detection> seen = {found(boxAt(0))};
  seen[0].coasted = true;
  TruthComparison comparison(0.5);
  comparison.add(std::vector<Box>{boxAt(0)}, {}, seen);
  EXPECT_EQ(comparison.figures().f1, 0);
  EXPECT_EQ(comparison.figures().ap, 0);
}

TEST(ShapeComparison, IsTheMeanOverPairsOfWhatTheReferenceHas) {
  Detection masked = found({0, 0, 4, 1});
  masked.mask = Mask({0, 0, 4, 1}, {1, 1, 1, 1});
  Detection half = masked;
  half.mask = Mask({0, 0, 4, 1}, {1, 1, 0, 0});
  Detection jointed = found({50, 0, 60, 10});
  jointed.keypoints = {{52, 5, 1}, {57, 5, 1}};
  ShapeComparison comparison;
  EXPECT_FALSE(comparison.figures().maskIou);
  EXPECT_FALSE(comparison.figures().oks);
  comparison.add({{masked, jointed}}, {{half, jointed}}, 0.5, 0.3F, 0.5F);
  EXPECT_DOUBLE_EQ(*comparison.figures().maskIou, 0.5);
  EXPECT_DOUBLE_EQ(*comparison.figures().oks, 1);
  comparison.add({{masked}}, {{masked}}, 0.5, 0.3F, 0.5F);
  EXPECT_DOUBLE_EQ(*comparison.figures().maskIou, 0.75);
}

TEST(ShapeComparison, AnObjectOfWhichTheReferenceSeesNoJointDoesNotCount) {
  Detection hidden = found({50, 0, 60, 10});
  hidden.keypoints = {{52, 5, 0.1F}, {57, 5, 0}};
  ShapeComparison comparison;
  comparison.add({{hidden}}, {{hidden}}, 0.5, 0.3F, 0.5F);
  EXPECT_FALSE(comparison.figures().oks);
}

TEST(ShapeComparison, APartnerWithoutMaskIsNotAlikeAndOneThatIsMissingDoesNotCount) {
  Detection masked = found({0, 0, 4, 1});
  masked.mask = Mask({0, 0, 4, 1}, {1, 1, 1, 1});
  ShapeComparison comparison;
  comparison.add({{masked}}, {{found({100, 0, 104, 1})}}, 0.5, 0.3F, 0.5F);
  EXPECT_FALSE(comparison.figures().maskIou);
  comparison.add({{masked}}, {{found({0, 0, 4, 1})}}, 0.5, 0.3F, 0.5F);
  EXPECT_DOUBLE_EQ(*comparison.figures().maskIou, 0);
  Detection unsure = masked;
  unsure.score = 0.4F;
  comparison.add({{unsure}}, {{unsure}}, 0.5, 0.3F, 0.5F);
  EXPECT_DOUBLE_EQ(*comparison.figures().maskIou, 0) << "of the reference only what is sure counts";
}

TEST(TruthComparison, NothingAtAllAgreesFully) {
  const TruthComparison nothing(0.5);
  EXPECT_EQ(nothing.figures().f1, 1);
  EXPECT_EQ(nothing.figures().ap, 1);
}

TEST(TruthComparison, OneEmptySideIsZero) {
  TruthComparison missed(0.5), invented(0.5);
  missed.add(std::vector<Box>{boxAt(0)}, {}, {});
  invented.add({}, {}, std::vector<Detection>{found(boxAt(0))});
  EXPECT_EQ(missed.figures().f1, 0);
  EXPECT_EQ(missed.figures().ap, 0);
  EXPECT_EQ(invented.figures().f1, 0);
  EXPECT_EQ(invented.figures().ap, 0);
}

}  // namespace
}  // namespace elf::eval
