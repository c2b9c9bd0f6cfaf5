// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/indexing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "elf/base/error.h"

namespace elf {
namespace {

constexpr int kNew = RpIndexer::kNew;
constexpr Size kFrame{1000, 500};
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

using Boxes = std::vector<LabelledBox>;

std::vector<int> match(const char* rule, const Boxes& before, const Boxes& now,
                       Size frame = kFrame) {
  return RpIndexer::create(rule)->match(before, now, frame);
}

Box around(double x, double y, double width, double height) {
  return {static_cast<float>(x - width / 2), static_cast<float>(y - height / 2),
          static_cast<float>(x + width / 2), static_cast<float>(y + height / 2)};
}

/** What a pair is worth to `assignment`; 0: it may not be matched. */
double worth(const LabelledBox& a, const LabelledBox& b) {
  const double alike = similarity(a.box, b.box);
  if (a.labelId == b.labelId) return alike >= RpIndexer::kMinSimilarity ? alike : 0;
  return alike >= RpIndexer::kSameObject ? alike / 2 : 0;
}

double worthOf(const std::vector<int>& matched, const Boxes& before, const Boxes& now) {
  double sum = 0;
  for (std::size_t n = 0; n < now.size(); ++n)
    if (matched[n] != kNew) sum += worth(before[matched[n]], now[n]);
  return sum;
}

/** The largest worth of all one-to-one matches of now[n...] with the boxes not yet taken. */
double bestOfAll(const Boxes& before, const Boxes& now, std::vector<bool>& taken,
                 std::size_t n = 0) {
  if (n == now.size()) return 0;
  double best = bestOfAll(before, now, taken, n + 1);
  for (std::size_t b = 0; b < before.size(); ++b) {
    if (taken[b] || worth(before[b], now[n]) <= 0) continue;
    taken[b] = true;
    best = std::max(best, worth(before[b], now[n]) + bestOfAll(before, now, taken, n + 1));
    taken[b] = false;
  }
  return best;
}

/** Up to `most` boxes, so near one another that many are candidates of many. */
Boxes crowd(std::mt19937& random, int most, double room) {
  std::uniform_real_distribution<double> place(0, room), side(20, 80);
  Boxes boxes(std::uniform_int_distribution<int>(0, most)(random));
  for (LabelledBox& box : boxes)
    box = {around(place(random), place(random), side(random), side(random)),
           std::uniform_int_distribution<int>(0, 3)(random) == 0 ? 1 : 0};
  return boxes;
}

/** Where the boxes are a little later: each moved, some gone, some new, in another order. */
Boxes later(const Boxes& before, std::mt19937& random) {
  std::normal_distribution<float> move(0, 8);
  Boxes now = crowd(random, 1, 100);
  for (const LabelledBox& old : before) {
    if (random() % 5 == 0) continue;
    now.push_back({shift(old.box, move(random), move(random)), old.labelId});
  }
  std::shuffle(now.begin(), now.end(), random);
  return now;
}

TEST(Similarity, IsOneForEqualBoxesAndNothingOutOfReach) {
  const Box box{100, 100, 120, 160};
  EXPECT_DOUBLE_EQ(similarity(box, box), 1);
  EXPECT_GT(similarity(box, shift(box, 25, 0)), 0) << "beside it, without overlap";
  EXPECT_EQ(similarity(box, shift(box, 41, 0)), 0);
  EXPECT_EQ(similarity(box, {}), 0);
  EXPECT_EQ(similarity(box, {kNaN, 100, 120, 160}), 0);
}

TEST(AssignmentIndexer, IsAsGoodAsTheBestOfAllMatches) {
  std::mt19937 random(1);
  int contested = 0;
  for (int scene = 0; scene < 1000; ++scene) {
    const Boxes before = crowd(random, 7, scene % 2 ? 60 : 150);
    Boxes now = scene % 3 ? later(before, random) : crowd(random, 7, 100);
    if (now.size() > 7) now.resize(7);
    std::vector<bool> taken(before.size());
    const double best = bestOfAll(before, now, taken);
    const std::vector<int> matched = match("assignment", before, now);
    EXPECT_NEAR(worthOf(matched, before, now), best, 1e-9) << "scene " << scene;

    double greedy = 0;
    for (const LabelledBox& box : now) {
      double nearest = 0;
      for (const LabelledBox& old : before) nearest = std::max(nearest, worth(old, box));
      greedy += nearest;
    }
    if (greedy > best + 1e-6) ++contested;
  }
  EXPECT_GT(contested, 200) << "else the scenes were too easy";
}

TEST(AssignmentIndexer, NoPairIsOverlookedHoweverMuchTheWidthsDiffer) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> place(0, 1000), narrow(1, 40), wide(100, 900);
  int matches = 0;
  for (int round = 0; round < 300; ++round) {
    Boxes before(5), now;
    for (LabelledBox& box : before)
      box.box = around(place(random), 250, random() % 2 ? narrow(random) : wide(random), 100);
    now = later(before, random);
    const std::vector<int> matched = match("assignment", before, now);
    std::vector<bool> taken(before.size());
    ASSERT_NEAR(worthOf(matched, before, now), bestOfAll(before, now, taken), 1e-6) << round;
    matches += static_cast<int>(now.size()) - static_cast<int>(std::ranges::count(matched, kNew));
  }
  EXPECT_GT(matches, 800) << "else the scenes were too easy";
}

TEST(AssignmentIndexer, InALargeGroupTheMostSimilarAreMatchedFirst) {
  // A chain in which each box reaches its neighbours.
  Boxes before, now;
  for (int i = 0; i <= RpIndexer::kMostInGroup; ++i) {
    before.push_back({around(20 * i, 250, 30, 30)});
    now.push_back({around(20 * i + 4, 250, 30, 30)});
  }
  // Nearer to the first than the first itself: at its best, the match would give way.
  now.push_back({around(-1, 250, 30, 30)});
  const std::vector<int> matched = match("assignment", before, now);
  EXPECT_EQ(matched.back(), 0);
  EXPECT_EQ(std::set<int>(matched.begin(), matched.end()).size(), before.size() + 1)
      << "one-to-one, and one is new";
}

TEST(AssignmentIndexer, IsOneToOneAndNeverBelowTheThreshold) {
  std::mt19937 random(2);
  for (int scene = 0; scene < 100; ++scene) {
    const Boxes before = crowd(random, 60, 400);
    const Boxes now = later(before, random);
    const std::vector<int> matched = match("assignment", before, now);
    ASSERT_EQ(matched.size(), now.size());
    std::set<int> taken;
    for (std::size_t n = 0; n < now.size(); ++n) {
      if (matched[n] == kNew) continue;
      ASSERT_GE(matched[n], 0);
      ASSERT_LT(matched[n], static_cast<int>(before.size()));
      EXPECT_TRUE(taken.insert(matched[n]).second) << "two boxes are " << matched[n];
      EXPECT_GT(worth(before[matched[n]], now[n]), 0);
    }
  }
}

TEST(AssignmentIndexer, DoesNotDependOnTheOrderOfTheBoxes) {
  std::mt19937 random(3);
  for (int scene = 0; scene < 100; ++scene) {
    const Boxes before = crowd(random, 40, 300);
    const Boxes now = later(before, random);
    const std::vector<int> matched = match("assignment", before, now);

    std::vector<int> orderBefore(before.size()), orderNow(now.size());
    std::iota(orderBefore.begin(), orderBefore.end(), 0);
    std::iota(orderNow.begin(), orderNow.end(), 0);
    std::shuffle(orderBefore.begin(), orderBefore.end(), random);
    std::shuffle(orderNow.begin(), orderNow.end(), random);
    Boxes shuffledBefore, shuffledNow;
    for (const int b : orderBefore) shuffledBefore.push_back(before[b]);
    for (const int n : orderNow) shuffledNow.push_back(now[n]);

    const std::vector<int> again = match("assignment", shuffledBefore, shuffledNow);
    for (std::size_t n = 0; n < now.size(); ++n)
      EXPECT_EQ(again[n] == kNew ? kNew : orderBefore[again[n]], matched[orderNow[n]]);
  }
}

TEST(AssignmentIndexer, GivesWayWhereThatHelpsBoth) {
  // The first new box lies closest to the old box that is the only one in reach of the second.
  const Boxes before{{{0, 0, 100, 100}}, {{100, 0, 200, 100}}};
  const Boxes now{{{60, 0, 160, 100}}, {{160, 0, 260, 100}}};
  EXPECT_EQ(match("assignment", before, now), (std::vector{0, 1}));
}

TEST(AssignmentIndexer, FindsASmallObjectThatJumpsByMoreThanItsSize) {
  const Boxes before{{{100, 100, 110, 110}}};
  EXPECT_EQ(match("assignment", before, {{{111, 100, 121, 110}}}), std::vector{0});
  EXPECT_EQ(match("assignment", before, {{{121, 100, 131, 110}}}), std::vector{kNew});
}

TEST(AssignmentIndexer, AnotherClassIsAnotherObjectUnlessTheBoxIsTheSame) {
  const Boxes car{{{100, 100, 200, 160}, 2}};
  EXPECT_EQ(match("assignment", car, {{{103, 101, 203, 161}, 7}}), std::vector{0});
  EXPECT_EQ(match("assignment", car, {{{150, 100, 250, 160}, 2}}), std::vector{0});
  EXPECT_EQ(match("assignment", car, {{{150, 100, 250, 160}, 7}}), std::vector{kNew});
}

TEST(AssignmentIndexer, ABoxOfTheOwnClassComesFirst) {
  const Boxes car{{{100, 100, 200, 160}, 2}};
  const Boxes now{{{100, 100, 200, 160}, 7}, {{125, 110, 225, 170}, 2}};
  EXPECT_EQ(match("assignment", car, now), (std::vector{kNew, 0}));
}

TEST(ElfReleaseIndexer, AddsUpDistancesAndChangeOfSize) {
  // 0.005 in x, 0.01 in y.
  const Boxes before{{around(500, 250, 100, 50)}};
  EXPECT_EQ(match("elf-release", before, {{around(505, 255, 100, 50)}}), std::vector{0});
  // Root of the area: 0.1 before, 0.106 now.
  EXPECT_EQ(match("elf-release", before, {{around(505, 255, 106, 53)}}), std::vector{kNew});
  EXPECT_EQ(match("elf-release", before, {{around(505, 250, 106, 53)}}), std::vector{0});
}

TEST(ElfReleaseIndexer, TwoBoxesMayBeTheSameOldOneAndClassesDoNotCount) {
  const Boxes before{{around(500, 250, 100, 50), 1}};
  EXPECT_EQ(match("elf-release", before,
                  {{around(502, 250, 100, 50), 2}, {around(498, 250, 100, 50), 3}}),
            (std::vector{0, 0}));
}

TEST(ElfReleaseIndexer, TheFirstOfEquallyNearOnesWins) {
  const Boxes before{{around(504, 250, 100, 50)}, {around(496, 250, 100, 50)}};
  EXPECT_EQ(match("elf-release", before, {{around(500, 250, 100, 50)}}), std::vector{0});
}

TEST(ElfPaperIndexer, PrefersTheSameSizeToTheSamePlace) {
  const Boxes before{{around(500, 250, 109, 50)}, {around(515, 255, 101, 50)}};
  EXPECT_EQ(match("elf-paper", before, {{around(500, 250, 100, 50)}}), std::vector{1});
}

TEST(ElfPaperIndexer, EachBoundIsABoundOfItsOwn) {
  const Boxes before{{around(500, 250, 100, 50)}};
  EXPECT_EQ(match("elf-paper", before, {{around(519, 259, 100, 50)}}), std::vector{0});
  EXPECT_EQ(match("elf-paper", before, {{around(521, 250, 100, 50)}}), std::vector{kNew});
  EXPECT_EQ(match("elf-paper", before, {{around(500, 261, 100, 50)}}), std::vector{kNew});
  // |1 - old/new|: 1 - 1/1.24 is below 0.2, 1/0.82 - 1 is above.
  EXPECT_EQ(match("elf-paper", before, {{around(500, 250, 124, 50)}}), std::vector{0});
  EXPECT_EQ(match("elf-paper", before, {{around(500, 250, 82, 50)}}), std::vector{kNew});
}

TEST(RpIndexer, NothingAndBoxesWithoutAreaMatchNothing) {
  const Boxes some{{around(500, 250, 100, 50)}};
  const Boxes hollow{{{500, 250, 500, 250}}, {{kNaN, 0, 600, 300}}, {{600, 300, 500, 200}}};
  for (const Choice& rule : indexerChoices()) {
    SCOPED_TRACE(rule.name);
    EXPECT_TRUE(match(rule.name, {}, {}).empty());
    EXPECT_TRUE(match(rule.name, some, {}).empty());
    EXPECT_EQ(match(rule.name, {}, some), std::vector{kNew});
    EXPECT_EQ(match(rule.name, hollow, some), std::vector{kNew});
    EXPECT_EQ(match(rule.name, some, hollow), (std::vector{kNew, kNew, kNew}));
    EXPECT_EQ(match(rule.name, hollow, hollow), (std::vector{kNew, kNew, kNew}));
    EXPECT_EQ(match(rule.name, some, some), std::vector{0});
  }
  EXPECT_EQ(match("elf-release", some, some, {}), std::vector{kNew});
  EXPECT_EQ(match("elf-paper", some, some, {}), std::vector{kNew});
}

TEST(RpIndexer, AnUnknownRuleIsNamedInTheError) {
  try {
    RpIndexer::create("hungry");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), "indexing");
    EXPECT_NE(std::string(error.what()).find("hungry"), std::string::npos);
  }
}

}  // namespace
}  // namespace elf
