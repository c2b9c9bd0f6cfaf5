// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "elf/stream/stream_frame.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using Turn = Slots::Turn;
using Clock = Slots::Clock;

class SlotsTest : public ::testing::Test {
 protected:
  ~SlotsTest() override {
    stop_ = true;
    slots_.wake();
  }

  Turn enter(std::uint64_t id) { return slots_.enter(id, stop_); }
  std::future<Turn> enterMeanwhile(std::uint64_t id) {
    return std::async(std::launch::async, [this, id] { return enter(id); });
  }
  static bool waits(std::future<Turn>& turn) {
    return turn.wait_for(30ms) == std::future_status::timeout;
  }

  Slots slots_;
  std::atomic<bool> stop_ = false;
};

TEST_F(SlotsTest, WhereNobodySendsThereIsNothingToWaitFor) {
  for (std::uint64_t id = 0; id < 100; ++id) EXPECT_EQ(enter(id), Turn::Go);
}

TEST_F(SlotsTest, AFrameWaitsUntilAnotherIsDone) {
  slots_.setLimits({.bounded = true, .maxInFlight = 2});
  EXPECT_EQ(enter(0), Turn::Go);
  EXPECT_EQ(enter(1), Turn::Go);
  auto third = enterMeanwhile(2);
  EXPECT_TRUE(waits(third));
  slots_.leave(1);
  EXPECT_EQ(third.get(), Turn::Go);
}

TEST_F(SlotsTest, AFrameThatHasNoSlotGivesNoneBack) {
  slots_.setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  EXPECT_EQ(enter(0), Turn::Go);
  slots_.leave(7);
  EXPECT_EQ(enter(1), Turn::Pass);
  slots_.leave(0);
  slots_.leave(0);
  EXPECT_EQ(enter(2), Turn::Go);
  EXPECT_EQ(enter(3), Turn::Pass);
}

TEST_F(SlotsTest, StopAndWakeEndTheWait) {
  slots_.setLimits({.bounded = true});
  EXPECT_EQ(enter(0), Turn::Go);
  auto second = enterMeanwhile(1);
  stop_ = true;
  slots_.wake();
  EXPECT_EQ(second.get(), Turn::Stopped);
  EXPECT_EQ(enter(2), Turn::Stopped);
}

TEST_F(SlotsTest, LimitsThatChangeHoldForWhoeverWaits) {
  slots_.setLimits({.bounded = true});
  EXPECT_EQ(enter(0), Turn::Go);
  auto second = enterMeanwhile(1);
  EXPECT_TRUE(waits(second));
  slots_.setLimits({.bounded = true, .maxInFlight = 2});
  EXPECT_EQ(second.get(), Turn::Go);
  auto third = enterMeanwhile(2);
  EXPECT_TRUE(waits(third));
  slots_.setLimits({.bounded = true, .maxInFlight = 2, .leaky = true});
  EXPECT_EQ(third.get(), Turn::Pass);
  slots_.setLimits({.bounded = true, .maxInFlight = 2});
  auto fourth = enterMeanwhile(3);
  EXPECT_TRUE(waits(fourth));
  slots_.setLimits({});
  EXPECT_EQ(fourth.get(), Turn::Go);
}

TEST_F(SlotsTest, LeakyNobodyWaits) {
  slots_.setLimits({.bounded = true, .maxInFlight = 2, .leaky = true});
  EXPECT_EQ(enter(0), Turn::Go);
  EXPECT_EQ(enter(1), Turn::Go);
  EXPECT_EQ(enter(2), Turn::Pass);
  slots_.leave(0);
  EXPECT_EQ(enter(3), Turn::Go);
}

TEST_F(SlotsTest, LiveAFrameWaitsForOneThatMayBeInTimeAndForNoneThatIsLate) {
  slots_.setLimits({.bounded = true, .maxInFlight = 2, .live = true, .deadline = 10s});
  EXPECT_EQ(enter(0), Turn::Go);
  EXPECT_EQ(enter(1), Turn::Go);
  slots_.markLate(0);
  auto third = enterMeanwhile(2);
  EXPECT_TRUE(waits(third));
  slots_.markLate(1);
  EXPECT_EQ(third.get(), Turn::Pass);
  EXPECT_EQ(enter(3), Turn::Pass);
  slots_.leave(1);
  EXPECT_EQ(enter(4), Turn::Go);
}

TEST_F(SlotsTest, WhereTheSourceWaitsAFrameWaitsForLateOnesUntilItsOwnDeadline) {
  slots_.setLimits({.bounded = true, .maxInFlight = 1, .deadline = 60ms});
  EXPECT_EQ(enter(0), Turn::Go);
  slots_.markLate(0);
  const Clock::time_point begun = Clock::now();
  EXPECT_EQ(enter(1), Turn::Pass);
  EXPECT_GE(Clock::now() - begun, 60ms);
  slots_.setLimits({.bounded = true, .maxInFlight = 1, .deadline = 60s});
  auto third = enterMeanwhile(2);
  EXPECT_TRUE(waits(third));
  slots_.leave(0);
  EXPECT_EQ(third.get(), Turn::Go);
}

TEST_F(SlotsTest, WithoutADeadlineLateFramesAreWaitedForAsLongAsItTakes) {
  slots_.setLimits({.bounded = true, .maxInFlight = 1});
  EXPECT_EQ(enter(0), Turn::Go);
  slots_.markLate(0);
  auto second = enterMeanwhile(1);
  EXPECT_TRUE(waits(second));
  slots_.leave(0);
  EXPECT_EQ(second.get(), Turn::Go);
}

TEST_F(SlotsTest, WhereTheSourceWaitsTheFirstFrameWaitsForTheServers) {
  slots_.setLimits({.bounded = true, .ready = false, .readyBy = Clock::now() + 60s});
  auto first = enterMeanwhile(0);
  EXPECT_TRUE(waits(first));
  slots_.setReady();
  EXPECT_EQ(first.get(), Turn::Go);
}

TEST_F(SlotsTest, ServersThatDoNotTellAreWaitedForNoLongerThanSaid) {
  const Clock::time_point by = Clock::now() + 60ms;
  slots_.setLimits({.bounded = true, .ready = false, .readyBy = by});
  EXPECT_EQ(enter(0), Turn::Go);
  EXPECT_GE(Clock::now(), by);
}

TEST_F(SlotsTest, LiveTheFirstFrameWaitsAMomentForTheServersAndTheOthersPass) {
  slots_.setLimits({.bounded = true, .live = true, .ready = false, .readyBy = Clock::now() + 60s});
  const Clock::time_point begun = Clock::now();
  EXPECT_EQ(enter(0), Turn::Pass);
  EXPECT_GE(Clock::now() - begun, Slots::kGrace);
  const Clock::time_point second = Clock::now();
  EXPECT_EQ(enter(1), Turn::Pass);
  EXPECT_LT(Clock::now() - second, Slots::kGrace);
  slots_.setReady();
  EXPECT_EQ(enter(2), Turn::Go);
}

TEST_F(SlotsTest, LiveServersThatAreReadyInAMomentGetTheFirstFrame) {
  slots_.setLimits({.bounded = true, .live = true, .ready = false, .readyBy = Clock::now() + 60s});
  auto first = enterMeanwhile(0);
  slots_.setReady();
  EXPECT_EQ(first.get(), Turn::Go);
}

TEST_F(SlotsTest, LiveServersThatNeverTellGetFramesFromThenOnAllTheSame) {
  slots_.setLimits({.bounded = true, .live = true, .ready = false, .readyBy = Clock::now()});
  EXPECT_EQ(enter(0), Turn::Go);
}

TEST_F(SlotsTest, RoomIsWhereAFrameWouldNotHaveToWait) {
  const auto waitsForRoom = [this] {
    return std::async(std::launch::async, [this] { return slots_.awaitRoom(stop_); });
  };
  EXPECT_TRUE(slots_.awaitRoom(stop_));
  slots_.setLimits({.bounded = true, .maxInFlight = 1});
  EXPECT_TRUE(slots_.awaitRoom(stop_));
  EXPECT_EQ(enter(0), Turn::Go);
  EXPECT_TRUE(slots_.awaitRoom(stop_)) << "a frame on its way waits for whoever asks";
  slots_.markSent(0);
  auto room = waitsForRoom();
  EXPECT_EQ(room.wait_for(30ms), std::future_status::timeout);
  slots_.leave(0);
  EXPECT_TRUE(room.get());

  EXPECT_EQ(enter(1), Turn::Go);
  slots_.markSent(1);
  room = waitsForRoom();
  stop_ = true;
  slots_.wake();
  EXPECT_FALSE(room.get());
  stop_ = false;

  slots_.setLimits({.bounded = true, .maxInFlight = 1, .leaky = true});
  EXPECT_TRUE(slots_.awaitRoom(stop_));
  slots_.setLimits({.bounded = true, .maxInFlight = 1, .live = true});
  slots_.markLate(1);
  EXPECT_TRUE(slots_.awaitRoom(stop_));
}

TEST_F(SlotsTest, WhatWasToBeLookedAtInAFrameThatIsGoneIsToldOnce) {
  slots_.setLimits({.bounded = true, .leaky = true});
  EXPECT_EQ(enter(0), Turn::Go);
  EXPECT_EQ(enter(1), Turn::Pass);
  slots_.leaveUnsent(1, {{5, 5, 5, 5}});
  EXPECT_TRUE(slots_.takeUnseen().empty()) << "it had no slot, and so no plan";
  slots_.leaveUnsent(0, {{1, 2, 3, 4}});
  EXPECT_THAT(slots_.takeUnseen(), ::testing::ElementsAre(Rect{1, 2, 3, 4}));
  EXPECT_TRUE(slots_.takeUnseen().empty());
  EXPECT_EQ(enter(2), Turn::Go);
}

TEST(StreamFrame, TheLastRecordThatDiesUnsentGivesTheSlotBack) {
  const auto slots = std::make_shared<Slots>();
  const std::atomic<bool> never = false;
  slots->setLimits({.bounded = true, .leaky = true});
  EXPECT_EQ(slots->enter(0, never), Turn::Go);
  auto frame = std::make_shared<StreamFrame>(slots, 0);
  frame->setPlanned({{1, 2, 3, 4}});
  auto copy = frame;
  frame.reset();
  EXPECT_EQ(slots->enter(1, never), Turn::Pass);
  copy.reset();
  EXPECT_EQ(slots->enter(2, never), Turn::Go);
  EXPECT_EQ(slots->takeUnseen().size(), 1U);
}

TEST(StreamFrame, OneThatIsSentKeepsItsSlotUntilItIsAnswered) {
  const auto slots = std::make_shared<Slots>();
  const std::atomic<bool> never = false;
  slots->setLimits({.bounded = true, .leaky = true});
  EXPECT_EQ(slots->enter(0, never), Turn::Go);
  auto frame = std::make_shared<StreamFrame>(slots, 0);
  EXPECT_TRUE(frame->submit());
  EXPECT_FALSE(frame->submit());
  frame.reset();
  EXPECT_EQ(slots->enter(1, never), Turn::Pass);
}

}  // namespace
}  // namespace elf
