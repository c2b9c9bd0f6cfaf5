// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/capacity/server_pool.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr double kPixels = 1e5, kBytes = 25e3;
const Clock::time_point kStart{1h};

/** Feeds a server with many answers of one kind, one after the other. */
double learned(SharedServer& server, RequestTimes times) {
  for (int i = 0; i < 50; ++i) {
    server.learn(times);
    times.sent += 1s;
    times.answered += 1s;
  }
  return server.state().cost.seconds(kPixels, kBytes);
}

RequestTimes request(Clock::duration sent, Clock::duration answered) {
  return {.pixels = kPixels,
          .bytes = kBytes,
          .sent = kStart + sent,
          .answered = kStart + answered,
          .queue = {},
          .work = {}};
}

class ServerPoolInTime : public ::testing::Test {
 protected:
  ServerPool::Clock::time_point now_{};
  ServerPool pool_{[this] { return now_; }};
};

TEST_F(ServerPoolInTime, AServerThatNobodyHoldsIsKeptForAWhileAndThenForgotten) {
  const SharedServer* const first = pool_.server("http://a", "hog", 0).get();
  pool_.server("http://a", "hog", 0)->endProbe(true);
  now_ += ServerPool::kKept - std::chrono::seconds(1);
  EXPECT_EQ(pool_.server("http://a", "hog", 0).get(), first) << "a stream has started again";
  now_ += ServerPool::kKept - std::chrono::seconds(1);
  EXPECT_EQ(pool_.server("http://a", "hog", 0).get(), first) << "and again";
  pool_.server("http://b", "hog", 0);
  now_ += ServerPool::kKept;
  EXPECT_EQ(pool_.server("http://a", "hog", 0)->takeProbe(), SharedServer::ProbeTurn::Yours)
      << "nothing is known of it";
}

TEST_F(ServerPoolInTime, AServerThatIsHeldIsNeverForgotten) {
  const auto held = pool_.server("http://a", "hog", 0);
  for (int i = 0; i < 3; ++i) {
    now_ += 2 * ServerPool::kKept;
    pool_.server("http://b", "hog", 0);
  }
  EXPECT_EQ(pool_.server("http://a", "hog", 0), held);
}

TEST_F(ServerPoolInTime, AddressesThatChangeForEverDoNotPileUp) {
  for (int i = 0; i < 1000; ++i) {
    pool_.server("http://10.0.0." + std::to_string(i), "hog", 0);
    now_ += std::chrono::minutes(1);
  }
  EXPECT_LE(pool_.urls().size(), 12U);
}

TEST(ServerPool, HasOneServerForEachUrlModelAndMention) {
  ServerPool pool;
  const auto server = pool.server("http://a", "hog", 0);
  EXPECT_EQ(pool.server("http://a", "hog", 0), server);
  EXPECT_NE(pool.server("http://a", "hog", 1), server);
  EXPECT_NE(pool.server("http://a", "yolo", 0), server);
  EXPECT_NE(pool.server("http://b", "hog", 0), server);
}

TEST(SharedServer, WhatIsSentIsOutstandingUntilItEnds) {
  SharedServer server;
  const double large = server.begin(kPixels, kBytes), small = server.begin(0.1, 0.1);
  EXPECT_EQ(large, CostModel().seconds(kPixels, kBytes));
  EXPECT_EQ(server.state().outstanding, large + small);
  server.end(large);
  EXPECT_NEAR(server.state().outstanding, small, 1e-9);
  server.end(small);
  EXPECT_EQ(server.state().outstanding, 0);
}

TEST(SharedServer, TheQueueOfTheServerDoesNotCount) {
  SharedServer server;
  RequestTimes times = request(0ms, 500ms);
  times.queue = 400ms;
  times.work = 90ms;
  EXPECT_NEAR(learned(server, times), 0.1, 0.001);
}

TEST(SharedServer, NorDoesItWhereTheServerTellsNothingElse) {
  SharedServer server;
  RequestTimes times = request(0ms, 500ms);
  times.queue = 400ms;
  EXPECT_NEAR(learned(server, times), 0.1, 0.001);
}

TEST(SharedServer, AServerThatTellsNoQueueWorksOffItsPartsOneByOne) {
  SharedServer server;
  for (int i = 0; i < 50; ++i) {
    // Three at once, each of which takes 100 ms.
    for (int part = 1; part <= 3; ++part) server.learn(request(i * 1s, i * 1s + part * 100ms));
  }
  EXPECT_NEAR(server.state().cost.seconds(kPixels, kBytes), 0.1, 0.001);
}

TEST(SharedServer, APartThatWaitedForTheLinkBehindAnotherHasNotTakenAsLong) {
  SharedServer server;
  for (int i = 0; i < 50; ++i) {
    // Two at once over a link that takes 100 ms for each, to a server of 50 ms.
    for (int part = 1; part <= 2; ++part) {
      RequestTimes times = request(i * 1s, i * 1s + part * 100ms + 50ms);
      times.queue = 0ms;
      times.work = 50ms;
      server.learn(times);
    }
  }
  EXPECT_NEAR(server.state().cost.seconds(kPixels, kBytes), 0.15, 0.001);
}

TEST(SharedServer, AnAccountOfMoreThanTheWholeTimeIsNone) {
  SharedServer server;
  RequestTimes times = request(0ms, 100ms);
  times.work = 1h;
  EXPECT_NEAR(learned(server, times), 0.1, 0.001);
  times = request(100s, 100s + 100ms);
  times.queue = 90ms;
  times.work = 20ms;
  EXPECT_NEAR(learned(server, times), 0.1, 0.001);
}

TEST(SharedServer, WhatIsLateTookThatLongAtLeast) {
  SharedServer server;
  RequestTimes times = request(0ms, 100ms);
  learned(server, times);
  times = request(100s, 100s + 900ms);
  times.late = true;
  EXPECT_GT(learned(server, times), 0.8);
}

TEST(SharedServer, WhatIsLateTeachesNothingWhereLongerWasExpectedOrItStoodBehindAnother) {
  SharedServer server;
  learned(server, request(0ms, 100ms));
  RequestTimes times = request(100s, 100s + 50ms);
  times.late = true;
  server.learn(times);
  EXPECT_EQ(server.state().answers, 50U);
  times.answered += 2s;
  for (int i = 0; i < 3; ++i) server.learn(times);
  EXPECT_EQ(server.state().answers, 51U);
}

TEST(SharedServer, TellsOnceThatItsCostsHaveChanged) {
  SharedServer server;
  EXPECT_TRUE(server.learn(request(0ms, 200ms)));
  for (int i = 1; i < 50; ++i) EXPECT_FALSE(server.learn(request(i * 1s, i * 1s + 200ms)));
  int changes = 0;
  for (int i = 50; i < 100; ++i) changes += server.learn(request(i * 1s, i * 1s + 300ms));
  EXPECT_EQ(changes, 1);
}

TEST(SharedServer, IsProbedByOneAtATimeAndOnce) {
  using enum SharedServer::ProbeTurn;
  SharedServer server;
  EXPECT_EQ(server.takeProbe(), Yours);
  EXPECT_EQ(server.takeProbe(), Another);
  server.endProbe(false);
  EXPECT_EQ(server.takeProbe(), Yours);
  server.endProbe(true);
  EXPECT_EQ(server.takeProbe(), Done);
}

}  // namespace
}  // namespace elf
