// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/frame_clock.h"

#include <gtest/gtest.h>

#include <random>

#include "research/eval/trace_clock.h"

namespace elf {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFrame{40};

TEST(FrameClock, WithoutTimeStampsFramesAreOneApart) {
  FrameClock clock;
  const double first = clock.next({}).at;
  for (int i = 1; i < 5; ++i) EXPECT_DOUBLE_EQ(clock.next({}).at, first + i);
}

TEST(FrameClock, TimeStampsSayHowMuchTimeHasPassed) {
  FrameClock clock;
  const double first = clock.next(milliseconds(1000)).at;
  EXPECT_DOUBLE_EQ(clock.next(milliseconds(1040)).at, first + 0.04);
  const FrameTime late = clock.next(milliseconds(1240));
  EXPECT_DOUBLE_EQ(late.at, first + 0.24);
  EXPECT_DOUBLE_EQ(late.interval, 0.04);
  EXPECT_DOUBLE_EQ(framesBetween(first, late), 6);
}

TEST(FrameClock, TheIntervalIsThatOfTheCameraThoughHalfOfTheFramesAreLost) {
  std::minstd_rand random(7);
  FrameClock clock;
  FrameTime now;
  for (int i = 0; i < 400; ++i)
    if (random() % 2 == 0) now = clock.next(i * kFrame);
  EXPECT_DOUBLE_EQ(now.interval, 0.04);
}

TEST(FrameClock, BurstsDoNotMakeItShort) {
  FrameClock clock;
  FrameTime now;
  for (int i = 0; i < 100; ++i) {
    clock.next(2 * i * kFrame);
    now = clock.next(2 * i * kFrame + milliseconds(1));
  }
  EXPECT_GT(now.interval, 0.025);
}

TEST(FrameClock, OnePauseDoesNotMakeItLong) {
  FrameClock clock;
  FrameTime now;
  for (int i = 0; i < 50; ++i) now = clock.next(i * kFrame + milliseconds(i < 40 ? 0 : 9000));
  EXPECT_DOUBLE_EQ(now.interval, 0.04);
}

TEST(FrameClock, TheIntervalFollowsTheFrameRate) {
  FrameClock clock;
  milliseconds at{0};
  for (int i = 0; i < 100; ++i) clock.next(at += kFrame);
  for (int i = 0; i < 100; ++i) clock.next(at += 2 * kFrame);
  EXPECT_DOUBLE_EQ(clock.next(at += 2 * kFrame).interval, 0.08);
}

TEST(FrameClock, TimeNeverStandsStillOrGoesBack) {
  FrameClock clock;
  clock.next(milliseconds(1000));
  double before = clock.next(milliseconds(1040)).at;
  for (const std::optional<std::chrono::nanoseconds> stamp :
       {std::optional<std::chrono::nanoseconds>(milliseconds(1040)),
        {milliseconds(0)},
        {},
        {milliseconds(90)}}) {
    const FrameTime now = clock.next(stamp);
    EXPECT_DOUBLE_EQ(now.at, before + 0.04);
    before = now.at;
  }
}

Trace stamped(std::initializer_list<std::pair<int, int>> frames) {
  Trace trace;
  for (const auto& [number, ms] : frames)
    trace.frames.push_back({number, {640, 480}, {}, milliseconds(ms)});
  return trace;
}

TEST(TraceClock, GoesByTimeStampsWhereAllFramesHaveSome) {
  const Trace trace = stamped({{0, 0}, {1, 40}, {2, 160}, {5, 200}});
  const eval::TraceClock clock(trace);
  const double first = clock.at(0).at;
  EXPECT_NEAR(clock.at(2).at - first, 0.16, 1e-9);
  EXPECT_DOUBLE_EQ(clock.at(2).interval, 0.04);
  EXPECT_NEAR(clock.at(4).at - first, 0.16 + 0.04 * 2 / 3, 1e-9) << "between its neighbours";
}

TEST(TraceClock, ElseByTheNumbers) {
  Trace trace = stamped({{0, 0}, {1, 40}, {2, 160}, {5, 200}});
  trace.frames[2].stamp.reset();
  const eval::TraceClock clock(trace);
  for (const int number : {0, 2, 3, 5}) {
    EXPECT_DOUBLE_EQ(clock.at(number).at, number);
    EXPECT_DOUBLE_EQ(clock.at(number).interval, 1);
  }
}

}  // namespace
}  // namespace elf
