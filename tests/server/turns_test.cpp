// SPDX-License-Identifier: LGPL-2.1-or-later
// Whose request runs next, with costs that the test decides.
#include "elf/server/turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace elf {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TurnsTest : public ::testing::Test {
 protected:
  void put(const std::string& stream, int count = 1, bool abandoned = false) {
    for (int i = 0; i < count; ++i) {
      InferJob job;
      job.stream = stream;
      job.received += std::chrono::milliseconds(++arrived_);
      job.abandoned = [abandoned] { return abandoned; };
      turns_.put(std::move(job));
    }
  }
  static std::vector<std::string> streamsOf(const std::vector<InferJob>& jobs) {
    std::vector<std::string> streams;
    for (const InferJob& job : jobs) streams.push_back(job.stream);
    return streams;
  }
  std::vector<std::string> take(std::size_t count = 1) { return streamsOf(turns_.take(count)); }
  /** Runs what waits, one after the other, for at most `count` requests. */
  std::vector<std::string> run(int count, const std::map<std::string, Turns::Cost>& costs = {}) {
    std::vector<std::string> order;
    for (; count > 0 && turns_.size() > 0; --count) {
      const std::string stream = take().at(0);
      const auto cost = costs.find(stream);
      turns_.ended(stream, cost == costs.end() ? 10ms : cost->second);
      order.push_back(stream);
    }
    return order;
  }

  Turns turns_;
  int arrived_ = 0;
};

TEST_F(TurnsTest, AQuietStreamWaitsForWhatRunsAndNotForABusyOnesQueue) {
  put("busy", 5);
  EXPECT_THAT(take(), ElementsAre("busy"));
  put("quiet");
  turns_.ended("busy", 10ms);
  EXPECT_THAT(run(9), ElementsAre("quiet", "busy", "busy", "busy", "busy"));
}

TEST_F(TurnsTest, OneStreamKeepsItsOrder) {
  for (const char* body : {"a", "b", "c"}) {
    InferJob job;
    job.body.assign(body, body + 1);
    turns_.put(std::move(job));
  }
  for (const char expected : {'a', 'b', 'c'}) EXPECT_EQ(turns_.take(1).at(0).body.at(0), expected);
}

TEST_F(TurnsTest, TheTimeIsSharedAndNotTheNumberOfRequests) {
  put("cheap", 100);
  put("dear", 100);
  const auto order = run(80, {{"cheap", 10ms}, {"dear", 30ms}});
  EXPECT_EQ(std::ranges::count(order, "cheap"), 60);
  EXPECT_EQ(std::ranges::count(order, "dear"), 20);
}

TEST_F(TurnsTest, NineQuietStreamsGetAllThatTheyAskForBesideABusyOne) {
  put("busy", 1000);
  for (int round = 0; round < 10; ++round) {
    // As long as the nine need half of the time, none waits for more than one of the busy one.
    for (int i = 0; i < 9; ++i) put("quiet" + std::to_string(i));
    const auto order = run(18);
    EXPECT_EQ(std::ranges::count(order, "busy"), 9) << round;
    EXPECT_LE(std::ranges::count(order.begin(), order.begin() + 10, "busy"), 1) << round;
  }
}

TEST_F(TurnsTest, WhatAStreamDidNotUseIsNotSavedUp) {
  put("busy", 60);
  put("late");
  run(50);
  put("late", 10);
  EXPECT_THAT(run(6), ElementsAre("late", "busy", "late", "busy", "late", "busy"));
}

TEST_F(TurnsTest, AnIdleServerForgetsWhatWas) {
  put("busy", 50);
  run(50);
  put("busy");
  put("other");
  EXPECT_THAT(run(2), ElementsAre("busy", "other"));
}

TEST_F(TurnsTest, WhatRunsAtOtherWorkersCounts) {
  put("busy", 9);
  put("other", 9);
  EXPECT_THAT(run(2), ElementsAre("busy", "other"));
  EXPECT_THAT(take(), ElementsAre("busy"));
  EXPECT_THAT(take(), ElementsAre("other"));
  EXPECT_THAT(take(), ElementsAre("busy"));
  EXPECT_THAT(take(), ElementsAre("other"));
}

TEST_F(TurnsTest, ABatchIsOfOneStreamAsFarAsThatHasRequests) {
  put("a", 2);
  put("b", 3);
  put("a", 1);
  EXPECT_THAT(take(4), ElementsAre("a", "a", "a", "b"));
  for (const char* stream : {"a", "a", "a", "b"}) turns_.ended(stream, 5ms);
  put("a", 2);
  EXPECT_THAT(take(4), ElementsAre("b", "b", "a", "a"));
  EXPECT_THAT(take(4), IsEmpty());
}

TEST_F(TurnsTest, RoomIsMadeByTheStreamWithTheMost) {
  put("busy", 3);
  put("quiet", 1);
  EXPECT_FALSE(turns_.makeRoomFor("busy"));
  const auto removed = turns_.makeRoomFor("quiet");
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->stream, "busy");
  // Its last one.
  EXPECT_EQ(removed->received, std::chrono::steady_clock::time_point(3ms));
  // They would only change places.
  EXPECT_FALSE(turns_.makeRoomFor("quiet"));
  EXPECT_TRUE(turns_.makeRoomFor("new"));
  EXPECT_FALSE(turns_.makeRoomFor("new"));
  EXPECT_EQ(turns_.size(), 2U);
}

TEST_F(TurnsTest, AbandonedRequestsAreRemovedWhereverTheyWait) {
  put("a", 2, true);
  put("a");
  put("b", 1, true);
  EXPECT_THAT(streamsOf(turns_.removeAbandoned()), ElementsAre("a", "a", "b"));
  EXPECT_EQ(turns_.size(), 1U);
  EXPECT_THAT(take(), ElementsAre("a"));
  put("b");
  EXPECT_THAT(streamsOf(turns_.removeAll()), ElementsAre("b"));
  turns_.ended("a", 5ms);
  EXPECT_EQ(turns_.size(), 0U);
}

}  // namespace
}  // namespace elf
