// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/circuit_breaker.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

using namespace std::chrono_literals;
using State = CircuitBreaker::State;

constexpr CircuitBreaker::Clock::time_point kNow{1h};

void fail(CircuitBreaker& breaker, int times) {
  for (int i = 0; i < times; ++i) EXPECT_FALSE(breaker.countError());
}

TEST(CircuitBreaker, OpensAfterErrorsInARow) {
  CircuitBreaker breaker;
  fail(breaker, CircuitBreaker::kErrorsInARow - 1);
  breaker.countAnswer();
  fail(breaker, CircuitBreaker::kErrorsInARow - 1);
  EXPECT_TRUE(breaker.closed()) << "an answer came in between";
  EXPECT_TRUE(breaker.countError());
  EXPECT_TRUE(breaker.open());
  EXPECT_EQ(breaker.state(), State::Open);
  EXPECT_FALSE(breaker.open()) << "it was open";
  EXPECT_FALSE(breaker.countError()) << "there is nothing left to open";
}

TEST(CircuitBreaker, IsHalfOpenUntilItInfers) {
  CircuitBreaker breaker;
  breaker.tryAgain();
  EXPECT_TRUE(breaker.closed()) << "who is closed needs no trial";
  breaker.open();
  breaker.tryAgain();
  EXPECT_EQ(breaker.state(), State::HalfOpen);
  EXPECT_FALSE(breaker.open()) << "it was not closed";
  breaker.tryAgain();
  breaker.close();
  fail(breaker, CircuitBreaker::kErrorsInARow - 1);
}

TEST(CircuitBreaker, WithoutAProbeTheFirstPartIsTheTrial) {
  CircuitBreaker breaker(State::HalfOpen, true);
  breaker.closeUnprobed();
  EXPECT_TRUE(breaker.closed());
  EXPECT_TRUE(breaker.countError());
}

TEST(CircuitBreaker, IsReportedOnceEachWay) {
  CircuitBreaker breaker;
  EXPECT_FALSE(breaker.reportClosed()) << "nobody was told otherwise";
  EXPECT_TRUE(breaker.reportOpen());
  EXPECT_FALSE(breaker.reportOpen());
  EXPECT_TRUE(breaker.reportClosed());
  EXPECT_FALSE(breaker.reportClosed());

  CircuitBreaker added(State::HalfOpen, true);
  EXPECT_FALSE(added.reportOpen()) << "nobody counts on it yet";
  EXPECT_TRUE(added.reportClosed());
}

TEST(CircuitBreaker, PartsThatFailAreReportedOnceUntilItIsBack) {
  CircuitBreaker breaker;
  const auto failParts = [&] {
    int reports = 0;
    for (int i = 0; i < 3 * CircuitBreaker::kErrorsInARow; ++i)
      reports += breaker.countFailedPart();
    return reports;
  };
  EXPECT_EQ(failParts(), 1);
  EXPECT_EQ(failParts(), 0);
  breaker.reportOpen();
  breaker.reportClosed();
  EXPECT_EQ(failParts(), 1);
  breaker.open();
  breaker.close();
  EXPECT_EQ(failParts(), 1);
}

TEST(CircuitBreaker, PausesDoubleUntilAPartIsAnswered) {
  CircuitBreaker breaker;
  CircuitBreaker::Clock::duration pause = CircuitBreaker::kFirstPause;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(breaker.nextPause(kNow, 1, false), pause);
    pause = std::min<CircuitBreaker::Clock::duration>(2 * pause, CircuitBreaker::kLongestPause);
  }
  EXPECT_EQ(pause, CircuitBreaker::kLongestPause);
  EXPECT_EQ(breaker.nextPause(kNow, 0.5, false), CircuitBreaker::kLongestPause / 2) << "jitter";
  EXPECT_EQ(breaker.nextPause(kNow, 1, true), CircuitBreaker::kFirstPause) << "nobody else is up";
  breaker.countAnswer();
  EXPECT_EQ(breaker.nextPause(kNow, 1, true), CircuitBreaker::kFirstPause);
  EXPECT_EQ(breaker.nextPause(kNow, 1, false), CircuitBreaker::kFirstPause)
      << "who hurries does not double";
}

TEST(CircuitBreaker, NoPauseIsOverBeforeTheServerWantsToBeAsked) {
  CircuitBreaker breaker;
  EXPECT_LT(breaker.heldBack(kNow), 0s);
  breaker.holdBack(kNow, 7s);
  EXPECT_EQ(breaker.heldBack(kNow + 2s), 5s);
  EXPECT_EQ(breaker.nextPause(kNow + 2s, 0.5, true), 5s);
  breaker.holdBack(kNow, 0s);
  EXPECT_EQ(breaker.heldBack(kNow), 7s) << "no Retry-After takes none back";
  breaker.holdBack(kNow, 24h);
  EXPECT_EQ(breaker.heldBack(kNow), CircuitBreaker::kLongestPause);
}

}  // namespace
}  // namespace elf
