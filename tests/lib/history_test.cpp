// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/history.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

Feedback saw(std::uint64_t frame, std::vector<Detection> detections) {
  return {.id = frame,
          .when = {.at = static_cast<double>(frame)},
          .size = {640, 480},
          .looked = true,
          .detections = std::move(detections)};
}

Detection object(Identity id, Box box = {10, 10, 20, 20}, bool coasted = false) {
  return {.box = box, .id = id, .coasted = coasted};
}

TEST(History, KnowsNothingBeforeAFrameWasLookedAt) {
  History history;
  history.add({.id = 0, .looked = false});
  EXPECT_FALSE(history.known());
  EXPECT_FALSE(history.lastLooked().has_value());
}

TEST(History, AnEmptyFrameIsAFact) {
  History history;
  history.add(saw(0, {}));
  EXPECT_TRUE(history.known());
  EXPECT_TRUE(history.tracks().empty());
}

TEST(History, AnObjectMissedMoreOftenThanItCoastsIsForgotten) {
  History history({.length = 4, .coastFrames = 2});
  history.add(saw(0, {object(1)}));
  history.add(saw(1, {}));
  history.add(saw(2, {}));
  EXPECT_TRUE(history.tracks().contains(1));
  history.add(saw(3, {}));
  EXPECT_FALSE(history.tracks().contains(1));
}

TEST(History, CoastingIsTimeAndAtLeastThreeLooks) {
  const auto coasts = [](double step, int looks) {
    History history({.length = 4, .coastFrames = 6});
    history.add(saw(0, {object(1)}));
    for (int i = 1; i <= looks; ++i) {
      Feedback feedback = saw(static_cast<std::uint64_t>(i), {});
      feedback.when = {.at = i * step * 0.04, .interval = 0.04};
      history.add(feedback);
    }
    return history.tracks().contains(1);
  };
  EXPECT_TRUE(coasts(1, 6));
  EXPECT_FALSE(coasts(1, 7));
  EXPECT_TRUE(coasts(2, 3)) << "every other frame was dropped";
  EXPECT_FALSE(coasts(2, 4));
  EXPECT_TRUE(coasts(50, 2)) << "servers are slow";
  EXPECT_FALSE(coasts(50, 3));
}

TEST(History, AnObjectThatTheModelWasNotSureOfIsForgottenSooner) {
  History history({.length = 4, .coastFrames = 5});
  Detection sure = object(1), weak = object(2);
  sure.score = 0.5F;
  weak.score = 0.4F;
  Feedback feedback = saw(0, {sure, weak});
  const auto look = [&](std::uint64_t frame) {
    feedback.id = frame;
    feedback.when.at = static_cast<double>(frame);
    feedback.sureScore = 0.5F;
    history.add(feedback);
    feedback.detections.clear();
  };
  look(0);
  look(1);
  EXPECT_TRUE(history.tracks().contains(2));
  look(2);
  EXPECT_FALSE(history.tracks().contains(2));
  EXPECT_TRUE(history.tracks().contains(1));
}

TEST(History, AFrameThatIsNotGivenAgesNobody) {
  History history({.length = 4, .coastFrames = 0});
  history.add(saw(0, {object(1)}));
  history.add(saw(9, {object(1)}));
  EXPECT_TRUE(history.tracks().contains(1));
  EXPECT_EQ(history.lastLooked(), 9U);
}

TEST(History, WhileServersAreSilentAnObjectIsForgottenAfterAsManyFramesAsItCoasts) {
  for (const bool partly : {false, true}) {
    History history({.length = 4, .coastFrames = 2});
    history.add(saw(0, {object(1)}));
    for (std::uint64_t frame = 1; frame <= 3; ++frame) {
      ASSERT_TRUE(history.tracks().contains(1)) << frame;
      history.add({.id = frame,
                   .when = {.at = static_cast<double>(frame)},
                   .looked = partly,
                   .detections = {object(1, {10, 10, 20, 20}, true)}});
    }
    EXPECT_FALSE(history.tracks().contains(1));
  }
}

TEST(History, AnObservationEndsTheSilence) {
  History history({.length = 4, .coastFrames = 1});
  for (std::uint64_t frame = 0; frame < 10; frame += 2) {
    history.add(saw(frame, {object(1)}));
    history.add({.id = frame + 1, .looked = false});
  }
  EXPECT_TRUE(history.tracks().contains(1));
}

TEST(History, ACoastedDetectionIsNeitherAnObservationNorAMiss) {
  History history({.length = 4, .coastFrames = 1});
  history.add(saw(0, {object(1)}));
  history.add(saw(1, {object(1, {90, 90, 99, 99}, true)}));
  ASSERT_TRUE(history.tracks().contains(1));
  EXPECT_EQ(history.tracks().at(1).observations.size(), 1U);
  EXPECT_EQ(history.tracks().at(1).missed, 0);
}

TEST(History, TheMissRateIsTheShareOfMissesAmongObjectsThatWereSeenAgain) {
  History history;
  EXPECT_NEAR(history.missRate(), 0.1, 1e-9);
  for (std::uint64_t frame = 0; frame < 400; ++frame)
    history.add(
        saw(frame, frame % 4 == 1 ? std::vector{object(1)} : std::vector{object(1), object(2)}));
  // One of two objects is missed in one frame of four.
  EXPECT_NEAR(history.missRate(), 1.0 / 8, 0.01);
}

TEST(History, AnObjectThatNeverComesBackWasNotMissed) {
  History history;
  history.add(saw(0, {object(1), object(2)}));
  for (std::uint64_t frame = 1; frame < 400; ++frame) history.add(saw(frame, {object(1)}));
  EXPECT_LT(history.missRate(), 0.001);
}

TEST(History, ASecondAnswerForOneFrameIsIgnored) {
  History history;
  history.add(saw(3, {object(1)}));
  history.add(saw(3, {object(2)}));
  history.add(saw(2, {object(3)}));
  EXPECT_EQ(history.tracks().size(), 1U);
}

TEST(History, KeepsOnlyItsLength) {
  History history({.length = 3, .coastFrames = 0});
  for (std::uint64_t frame = 0; frame < 10; ++frame) history.add(saw(frame, {object(1)}));
  ASSERT_EQ(history.tracks().at(1).observations.size(), 3U);
  EXPECT_EQ(history.tracks().at(1).observations.front().at, 7);
}

}  // namespace
}  // namespace elf
