// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/bandwidth.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "elf/offload/jpeg_size.h"
#include "tests/support/made_picture.h"
#include "tests/support/sending.h"

namespace elf {
namespace {

using elf::testing::MadePicture;
using elf::testing::Sending;

constexpr Size kSize{320, 240};
constexpr double kInterval = 0.04;
constexpr int kSecond = 25;
/** At quality 90, 25 frames a second take 1.3 and 3.7 Mbit/s; the rich ones 1.1 Mbit/s at 30. */
constexpr double kPlain = 2, kRich = 40;

/** `seconds` of frames that hold so much noise. */
void send(Sending& sending, double noise, int seconds, double interval = kInterval) {
  const int frames = static_cast<int>(seconds / interval);
  for (int i = 0; i < frames; ++i) {
    const MadePicture picture(kSize, noise, sending.frames().size());
    sending.send(picture.view(), interval);
  }
}

TEST(Bandwidth, ARichSceneTakesTheBudgetAndNoMore) {
  for (const double kilobits : {1300.0, 2000.0, 3000.0}) {
    Sending sending(kilobits, 90);
    send(sending, kRich, 10);
    EXPECT_LT(sending.mostShare(3, 1, 10), 1.1) << kilobits;
    EXPECT_GT(sending.leastShare(3, 1, 10), 0.9) << kilobits;
    EXPECT_LT(sending.frames().back().quality, 90);
    EXPECT_EQ(sending.frames().back().scale, 1);
  }
}

TEST(Bandwidth, TheRateHoldsAtAnyFrameRate) {
  for (const double interval : {0.01, 0.1, 0.5, 1.0}) {
    Sending sending(2000 * kInterval / interval, 90);
    const int seconds = std::max(8, static_cast<int>(80 * interval));
    send(sending, kRich, seconds, interval);
    const double window = std::max(4.0, 20 * interval);
    EXPECT_LT(sending.mostShare(window, 0.2 * seconds, seconds), 1.1) << interval;
    EXPECT_GT(sending.leastShare(window, 0.2 * seconds, seconds), 0.9) << interval;
  }
}

TEST(Bandwidth, APlainSceneIsSentAsWellAsItMayBe) {
  Sending sending(2000, 85);
  send(sending, kPlain, 2);
  for (const Sending::Frame& frame : sending.frames()) {
    // Nothing is known of the first one.
    if (frame.seconds > 1.5 * kInterval) {
      EXPECT_EQ(frame.quality, 85) << frame.seconds;
    }
    EXPECT_EQ(frame.scale, 1);
  }
  EXPECT_LT(sending.mostShare(1, 0, 2), 1);
}

TEST(Bandwidth, TheRateHoldsWhereTheSceneChangesAndTheQualityComesBack) {
  Sending sending(2000, 90);
  for (int i = 0; i < 3; ++i) {
    send(sending, kPlain, 3);
    EXPECT_EQ(sending.frames().back().quality, 90);
    send(sending, kRich, 3);
    EXPECT_LT(sending.frames().back().quality, 90);
  }
  // What one frame was larger than foreseen comes on top of the burst.
  EXPECT_LT(sending.mostShare(5, 0, 18), 1.1);
  send(sending, kPlain, 1);
  EXPECT_EQ(sending.frames().back().quality, 90);
}

TEST(Bandwidth, WhatIsNotEnoughForTheLeastQualityShrinksTheScale) {
  Sending sending(700, 90);
  send(sending, kRich, 10);
  const Sending::Frame& last = sending.frames().back();
  EXPECT_EQ(last.quality, BandwidthControl::kLeastQuality);
  EXPECT_LT(last.scale, 1);
  EXPECT_GT(last.scale, BandwidthControl::kLeastScale);
  EXPECT_LT(sending.mostShare(5, 1, 10), 1.1);
  EXPECT_GT(sending.leastShare(5, 1, 10), 0.9);
}

TEST(Bandwidth, WhatIsNotEnoughForTheLeastScaleLeavesFramesOut) {
  Sending sending(200, 90);
  send(sending, kRich, 20);
  int out = 0;
  for (const Sending::Frame& frame : sending.frames()) {
    if (frame.bytes == 0) ++out;
    if (frame.seconds > 1 && frame.bytes > 0) {
      EXPECT_EQ(frame.scale, BandwidthControl::kLeastScale);
    }
  }
  EXPECT_GT(out, 20 * kSecond / 10);
  EXPECT_LT(out, 20 * kSecond);
  EXPECT_LT(sending.mostShare(5, 2, 20), 1.1);
  EXPECT_GT(sending.leastShare(5, 2, 20), 0.9);
}

TEST(Bandwidth, FramesAreLeftOutBeforeObjectsGetTooSmallToBeFound) {
  constexpr double kLeastScale = 0.9;
  Sending sending(500, 90, kLeastScale);
  send(sending, kRich, 20);
  int out = 0;
  for (const Sending::Frame& frame : sending.frames()) {
    if (frame.bytes == 0)
      ++out;
    else
      EXPECT_GE(frame.scale, kLeastScale);
  }
  EXPECT_GT(out, 20 * kSecond / 4);
  EXPECT_LT(out, 20 * kSecond * 3 / 4);
  EXPECT_LT(sending.mostShare(5, 2, 20), 1.1);
  EXPECT_GT(sending.leastShare(5, 2, 20), 0.9);
}

TEST(Bandwidth, AQualityBelowTheLeastThatIsAskedForIsKept) {
  Sending sending(400, 10);
  send(sending, kRich, 1);
  for (const Sending::Frame& frame : sending.frames()) {
    if (frame.bytes > 0) {
      EXPECT_EQ(frame.quality, 10);
    }
  }
  EXPECT_LT(sending.frames().back().scale, 1);
}

TEST(Bandwidth, AfterAPauseThereIsNoMoreToSendThanABurst) {
  Sending sending(2000, 90);
  send(sending, kRich, 3);
  sending.send(MadePicture(kSize, kRich, 0).view(), 60);
  send(sending, kRich, 3);
  EXPECT_LT(sending.mostShare(2, 62, 66), 1 + BandwidthControl::kBurst / 2 + 0.1);
}

TEST(Bandwidth, RetriesCountAndPixelsThatAreNoJpegShrink) {
  using Clock = BandwidthControl::Clock;
  constexpr double kBudget = 1e6;
  const BandwidthControl::Load raw{.parts = 1, .rawPixels = 320 * 240};
  BandwidthControl control;
  auto now = Clock::time_point{};
  double sent = 0, bytes = 0;
  std::optional<BandwidthControl::Choice> choice;
  // Long enough for whatever is learned from files to be forgotten.
  for (int i = 0; i < 100 * kSecond; ++i, now += std::chrono::milliseconds(40)) {
    choice = control.choose(now, kBudget, sent, raw, 90);
    if (!choice) continue;
    // Each is sent twice.
    const double frame = choice->scale * choice->scale * raw.rawPixels * 3 + 500;
    sent += 2 * frame;
    if (i >= 95 * kSecond) bytes += 2 * frame;
  }
  EXPECT_NEAR(bytes / 5, kBudget, 0.1 * kBudget);
  ASSERT_TRUE(choice);
  EXPECT_LT(choice->scale, 1);
}

TEST(Bandwidth, WhatNothingMakesSmallerLeavesFramesOut) {
  using Clock = BandwidthControl::Clock;
  // 50 frames a second of 4 kB and its request are twice the budget.
  constexpr double kBytes = 4000, kEach = kBytes + BandwidthControl::kRequestBytes;
  const BandwidthControl::Load tensor{.parts = 1, .otherBytes = kBytes};
  BandwidthControl control;
  Clock::time_point now{std::chrono::hours(1)};
  double sent = 0;
  int left = 0;
  for (int i = 0; i < 500; ++i, now += std::chrono::milliseconds(20)) {
    const auto choice = control.choose(now, 25 * kEach, sent, tensor, 90);
    if (!choice) {
      ++left;
      continue;
    }
    EXPECT_EQ(choice->scale, 1);
    sent += kEach;
  }
  EXPECT_NEAR(left, 250, 15);
  // Files beside it are made smaller for it.
  constexpr double kEnough = 24000 / kInterval;
  const BandwidthControl::Load file{.parts = 2, .jpegPixels = 320 * 240};
  BandwidthControl::Load both = file;
  both.otherBytes = kBytes;
  EXPECT_EQ(BandwidthControl().choose(now, kEnough, 0, file, 90)->quality, 90);
  EXPECT_LT(BandwidthControl().choose(now, kEnough, 0, both, 90)->quality, 90);
}

TEST(Bandwidth, ABudgetHoldsFromTheMomentThatItIsSet) {
  constexpr double kMinute = 60 * 5e5, kBudget = 2.5e5;
  const BandwidthControl::Load load{.parts = 1, .rawPixels = 1000};
  const auto at = [](int milliseconds) {
    return BandwidthControl::Clock::time_point(std::chrono::milliseconds(milliseconds));
  };
  BandwidthControl control;
  EXPECT_TRUE(control.choose(at(0), kBudget, kMinute, load, 90)) << "a minute at 4 Mbit/s before";
  EXPECT_FALSE(control.choose(at(40), kBudget, 2 * kMinute, load, 90)) << "it is a budget";
  EXPECT_TRUE(control.choose(at(80), 2 * kBudget, 3 * kMinute, load, 90)) << "another one";
  EXPECT_FALSE(control.choose(at(120), 2 * kBudget, 4 * kMinute, load, 90));
  control.off();
  EXPECT_TRUE(control.choose(at(160), 2 * kBudget, 5 * kMinute, load, 90)) << "off in between";
}

TEST(Bandwidth, AFrameWithoutPartsMayAlwaysPass) {
  BandwidthControl control;
  const auto now = BandwidthControl::Clock::time_point{};
  EXPECT_TRUE(control.choose(now, 1, 1e9, {}, 90));
  EXPECT_FALSE(control.choose(now, 1, 2e9, {.parts = 1, .jpegPixels = 100}, 90));
}

TEST(JpegSize, RisesWithTheQualityAndIsOneAt90) {
  EXPECT_EQ(jpegShareAt(90), 1);
  for (int quality = 2; quality <= 100; ++quality)
    EXPECT_GT(jpegShareAt(quality), jpegShareAt(quality - 1)) << quality;
  EXPECT_EQ(jpegShareAt(0), jpegShareAt(1));
  EXPECT_EQ(jpegShareAt(101), jpegShareAt(100));
}

TEST(JpegSize, KnowsTheTables) {
  JpegEncoder encoder;
  const MadePicture flat({16, 16}, 0, 0);
  const auto file = encoder.encode(flat.view(), {0, 0, 8, 8}, {8, 8}, 1);
  EXPECT_NEAR(static_cast<double>(file.value().size()), kJpegTables, 12);
}

}  // namespace
}  // namespace elf
