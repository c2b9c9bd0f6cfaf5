// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/tracker.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace elf {
namespace {

constexpr Size kFrame{1000, 500};
constexpr std::int64_t kCar = 2;
constexpr std::int64_t kTruck = 7;

Detection detection(Box box, std::int64_t labelId = 0) {
  return {.box = box, .score = 1, .labelId = labelId};
}

Detection coasted(Identity id, Box box) {
  return {.box = box, .id = id, .coasted = true};
}

Rp rpOf(Identity id, Box expected) {
  return {.box = expected, .expected = expected, .id = id};
}

/** The ids that the boxes of a frame get. */
std::vector<Identity> track(Tracker& tracker, std::uint64_t frame,
                            std::vector<Detection> detections, std::vector<Rp> rps = {}) {
  tracker.track({.at = static_cast<double>(frame)}, kFrame, rps, detections);
  std::vector<Identity> ids;
  for (const Detection& d : detections) ids.push_back(d.id);
  return ids;
}

constexpr Box kBox{100, 100, 150, 200};

TEST(Tracker, AnObjectKeepsItsIdentityWhileItMoves) {
  Tracker tracker;
  const auto first = track(tracker, 0, {detection({0, 0, 50, 100}), detection({200, 0, 250, 100})});
  EXPECT_NE(first[0], first[1]);
  EXPECT_EQ(track(tracker, 1, {detection({210, 0, 260, 100}), detection({10, 0, 60, 100})}),
            (std::vector{first[1], first[0]}));
}

TEST(Tracker, LooksWhereTheRpExpectsTheObject) {
  Tracker tracker;
  const Identity id = track(tracker, 0, {detection(kBox)})[0];
  const Box expected = shift(kBox, 200, 0);
  EXPECT_EQ(track(tracker, 1, {detection(kBox), detection(shift(expected, 2, 0))},
                  {rpOf(id, expected)})[1],
            id);
}

TEST(Tracker, LooksWhereTheObjectWasLastSeenWhereThereIsNoRpOfIt) {
  Tracker tracker;
  const Identity id = track(tracker, 0, {detection(kBox)})[0];
  track(tracker, 1, {}, {rpOf(id, shift(kBox, 200, 0))});
  EXPECT_EQ(track(tracker, 2, {detection(kBox)})[0], id);
}

TEST(Tracker, AnUnknownRpIsNobody) {
  Tracker tracker;
  EXPECT_NE(track(tracker, 0, {detection(kBox)}, {rpOf(77, kBox)})[0], 77);
}

TEST(Tracker, TheClosestOfTwoTakesIt) {
  Tracker tracker;
  const Identity id = track(tracker, 0, {detection(kBox)})[0];
  const auto ids = track(tracker, 1, {detection(shift(kBox, 2, 0)), detection(shift(kBox, 1, 0))});
  EXPECT_NE(ids[0], id);
  EXPECT_EQ(ids[1], id);
}

TEST(Tracker, IdsOfAFrameDifferWhateverTheRule) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> place(0, 200);
  for (const Choice& rule : indexerChoices()) {
    SCOPED_TRACE(rule.name);
    Tracker tracker;
    tracker.setIndexer(RpIndexer::create(rule.name));
    std::set<Identity> given;
    std::size_t kept = 0;
    for (std::uint64_t frame = 0; frame < 20; ++frame) {
      std::vector<Detection> detections;
      for (int i = 0; i < 40; ++i) detections.push_back(detection(shift(kBox, place(random), 0)));
      std::set<Identity> here;
      for (const Identity id : track(tracker, frame, detections)) {
        EXPECT_GT(id, kNoIdentity);
        EXPECT_TRUE(here.insert(id).second) << id << " twice in frame " << frame;
        kept += !given.insert(id).second;
      }
    }
    EXPECT_GT(kept, 100U) << "else nothing was ever matched";
  }
}

TEST(Tracker, WhereARuleTakesTwoForOneTheFirstIsIt) {
  Tracker tracker;
  tracker.setIndexer(RpIndexer::create("elf-release"));
  const Identity id = track(tracker, 0, {detection(kBox)})[0];
  const auto ids = track(tracker, 1, {detection(shift(kBox, 2, 0)), detection(shift(kBox, 1, 0))});
  EXPECT_EQ(ids[0], id);
  EXPECT_NE(ids[1], id);
}

TEST(Tracker, AnotherClassElsewhereIsAnotherObject) {
  Tracker tracker;
  const Identity id = track(tracker, 0, {detection(kBox, kCar)})[0];
  EXPECT_NE(track(tracker, 1, {detection(shift(kBox, 25, 0), kTruck)})[0], id);
}

TEST(Tracker, AnObjectWhoseClassWaversStaysOneObject) {
  Tracker tracker;
  const Identity id = track(tracker, 0, {detection(kBox, kCar)})[0];
  std::uint64_t frame = 1;
  for (const std::int64_t label : {kTruck, kTruck, kCar, kTruck, kCar, kCar}) {
    EXPECT_EQ(track(tracker, frame, {detection(shift(kBox, 2.F * frame, 0), label)})[0], id);
    ++frame;
  }
}

TEST(Tracker, TwoClassesInOnePlaceAreTwoObjects) {
  Tracker tracker;
  const auto first = track(tracker, 0, {detection(kBox, kCar), detection(kBox, kTruck)});
  EXPECT_NE(first[0], first[1]);
  EXPECT_EQ(
      track(tracker, 1, {detection(shift(kBox, 3, 0), kTruck), detection(shift(kBox, 3, 0), kCar)}),
      (std::vector{first[1], first[0]}));
}

TEST(Tracker, ACoastedDetectionKeepsItsIdAndNobodyElseGetsIt) {
  Tracker tracker;
  const Identity id = track(tracker, 0, {detection(kBox)})[0];
  const auto ids = track(tracker, 1, {detection(kBox), coasted(id, kBox)}, {rpOf(id, kBox)});
  EXPECT_NE(ids[0], id);
  EXPECT_EQ(ids[1], id);
}

TEST(Tracker, AnUnseenObjectIsKnownForAWhile) {
  constexpr std::uint64_t kMemory = Tracker::kMemory;
  for (const std::uint64_t gap : {kMemory, kMemory + 1}) {
    Tracker tracker;
    const Identity id = track(tracker, 0, {detection(kBox)})[0];
    for (std::uint64_t frame = 1; frame < gap; ++frame) track(tracker, frame, {});
    EXPECT_EQ(track(tracker, gap, {detection(kBox)})[0] == id, gap <= kMemory);
  }
}

TEST(Tracker, TimeAloneMakesNobodyForget) {
  Tracker tracker;
  const Identity id = track(tracker, 0, {detection(kBox)})[0];
  EXPECT_EQ(track(tracker, 100, {detection(kBox)})[0], id) << "the camera stood still";
  for (const std::uint64_t frame : {200U, 300U, 400U}) track(tracker, frame, {});
  EXPECT_NE(track(tracker, 500, {detection(kBox)})[0], id);
}

TEST(Tracker, AnObjectThatNobodyLookedForIsNotForgotten) {
  Tracker tracker;
  const Identity id = track(tracker, 0, {detection(kBox)})[0];
  std::uint64_t frame = 1;
  for (; frame < 3 * Tracker::kMemory; ++frame)
    track(tracker, frame, {coasted(id, kBox)}, {rpOf(id, kBox)});
  EXPECT_EQ(track(tracker, frame, {detection(kBox)}, {rpOf(id, kBox)})[0], id);
}

TEST(Tracker, ForgottenIdentitiesAreNotGivenAgain) {
  Tracker tracker;
  const Identity before = track(tracker, 0, {detection(kBox)})[0];
  tracker.forget();
  EXPECT_NE(track(tracker, 1, {detection(kBox)})[0], before);
}

TEST(Tracker, OfMoreObjectsThanItRemembersThoseSeenLastAreKnown) {
  Tracker tracker;
  const Box first{900, 450, 950, 500}, last{900, 300, 950, 350};
  const Identity id = track(tracker, 0, {detection(first)})[0];
  constexpr std::size_t kAtOnce = 1000;
  std::uint64_t frame = 0;
  std::vector<Identity> ids;
  while (frame <= Tracker::kMostKnown / kAtOnce) {
    // Each frame has others, of a class and a size of their own.
    std::vector<Detection> noise(kAtOnce, detection(last, static_cast<std::int64_t>(++frame)));
    const auto side = static_cast<float>(1 + 2 * frame);
    for (std::size_t i = 0; i + 1 < kAtOnce; ++i) {
      const auto x = static_cast<float>(i % 50 * 15), y = static_cast<float>(i / 50 * 15);
      noise[i].box = {x, y, x + side, y + side};
    }
    ids = track(tracker, frame, noise);
  }
  const auto again = track(tracker, frame + 1,
                           {detection(first), detection(last, static_cast<std::int64_t>(frame))});
  EXPECT_NE(again[0], id);
  EXPECT_EQ(again[1], ids.back());
}

}  // namespace
}  // namespace elf
