// SPDX-License-Identifier: LGPL-2.1-or-later
// The figures of live runs, from arrivals that are made by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gst/bench/figures.h"

namespace elf::bench {
namespace {

using testing::ElementsAre;
using testing::Field;

// Ten frames a second: frame N is captured at N * 100 ms, and is due 200 ms later.
constexpr Live kTenAndTwoHundred{.fps = 10, .deadlineMs = 200};
constexpr bool kHoldsBoxes = true;

Detection box(float x) {
  Detection detection;
  detection.box = {x, 0, x + 40, 100};
  detection.score = 1;
  return detection;
}

/** One box that is somewhere else in each frame. */
FrameDetections boxesOf(std::size_t frames) {
  FrameDetections boxes;
  for (std::size_t frame = 0; frame < frames; ++frame)
    boxes.push_back({box(static_cast<float>(frame) * 100)});
  return boxes;
}

/** The box of that frame, found in it. */
FrameResult out(std::size_t frame, double delayMs) {
  FrameResult result;
  result.frame = frame;
  result.latencyMs = result.answeredMs = delayMs;
  result.inferred = true;
  result.detections = boxesOf(frame + 1).back();
  return result;
}

/** A frame that passed unsent, or without an answer. */
FrameResult passed(std::size_t frame, double delayMs, std::vector<Detection> boxes = {}) {
  FrameResult result = out(frame, delayMs);
  result.inferred = false;
  result.detections = std::move(boxes);
  return result;
}

TEST(BenchLive, CountsWhatIsOutByCaptureAndDeadlineAsShown) {
  const FrameDetections reference = boxesOf(4);
  const LiveFigures figures = measureLive({out(0, 200), out(1, 200.1), out(3, 10)},
                                          kTenAndTwoHundred, !kHoldsBoxes, {reference});
  EXPECT_DOUBLE_EQ(figures.shown, 0.5);
  EXPECT_DOUBLE_EQ(figures.inferred, 0.75);
}

TEST(BenchLive, DelayIsOfAllFramesThatCameOut) {
  const FrameDetections reference = boxesOf(4);
  const LiveFigures figures = measureLive({out(0, 20), out(1, 300), out(3, 30)}, kTenAndTwoHundred,
                                          kHoldsBoxes, {reference});
  EXPECT_DOUBLE_EQ(figures.delayMs.p50, 30);
  EXPECT_DOUBLE_EQ(figures.delayMs.p95, 300);
  EXPECT_DOUBLE_EQ(figures.delayMs.p99, 300);
  EXPECT_THAT(figures.delays, ElementsAre(Field(&LiveFigures::Delay::frame, 0U),
                                          Field(&LiveFigures::Delay::frame, 1U),
                                          Field(&LiveFigures::Delay::frame, 3U)));
}

TEST(BenchLive, DroppedFramesAreNeitherShownNorJudged) {
  const FrameDetections reference = boxesOf(4);
  const LiveFigures figures =
      measureLive({out(0, 50), out(2, 50)}, kTenAndTwoHundred, !kHoldsBoxes, {reference});
  EXPECT_DOUBLE_EQ(figures.shown, 0.5);
  EXPECT_DOUBLE_EQ(figures.confident.f1, 1);
  EXPECT_DOUBLE_EQ(figures.ageMs.p95, 0);
}

TEST(BenchLive, NothingShownIsNoAgreement) {
  const FrameDetections reference = boxesOf(2);
  Truth truth;
  truth.frames.resize(2);
  const LiveFigures figures =
      measureLive({out(0, 201)}, kTenAndTwoHundred, !kHoldsBoxes, {reference, &truth});
  EXPECT_DOUBLE_EQ(figures.shown, 0);
  EXPECT_DOUBLE_EQ(figures.confident.f1, 0);
  EXPECT_DOUBLE_EQ(figures.confident75.f1, 0);
  EXPECT_DOUBLE_EQ(figures.confidentTruth->f1, 0);
  EXPECT_DOUBLE_EQ(figures.confidentTruth->ap, 0);
}

TEST(BenchLive, AHeldFrameHasTheBoxesThatAreOutWhenItIsDue) {
  const FrameDetections reference = boxesOf(4);
  // Frame 1 is due at 300 ms, when frame 0 has been out for long. Frame 2 comes out in time, but
  // unsent. Frame 3 is due at 500 ms; frame 0 is still the last inferred one.
  const LiveFigures figures =
      measureLive({out(0, 150), passed(2, 20)}, kTenAndTwoHundred, kHoldsBoxes, {reference});
  EXPECT_DOUBLE_EQ(figures.shown, 1);
  EXPECT_DOUBLE_EQ(figures.inferred, 0.25);
  // Only frame 0 is where its box is.
  EXPECT_DOUBLE_EQ(figures.confident.f1, 0.25);
  // Ages are 0, 100, 200 and 300.
  EXPECT_DOUBLE_EQ(figures.ageMs.p50, 100);
  EXPECT_DOUBLE_EQ(figures.ageMs.p95, 300);
}

TEST(BenchLive, AHeldFrameDoesNotWaitForBoxesThatAreLate) {
  const FrameDetections reference = {{box(0)}, {box(0)}, {box(0)}};
  // Frame 0 is out at 350 ms: too late for itself and frame 1, which is due at 300 ms.
  const LiveFigures figures =
      measureLive({out(0, 350)}, kTenAndTwoHundred, kHoldsBoxes, {reference});
  EXPECT_DOUBLE_EQ(figures.shown, 2.0 / 3);
  EXPECT_DOUBLE_EQ(figures.confident.recall, 0.5);
  EXPECT_DOUBLE_EQ(figures.confident.precision, 1);
  EXPECT_DOUBLE_EQ(figures.ageMs.p50, 200);
}

TEST(BenchLive, PredictedBoxesCountAndAreAsOldAsWhatTheyCameFrom) {
  const FrameDetections reference = boxesOf(3);
  Detection predicted = box(100);
  predicted.coasted = true;
  const LiveFigures figures = measureLive({out(0, 50), passed(1, 50, {predicted}), out(2, 50)},
                                          kTenAndTwoHundred, !kHoldsBoxes, {reference});
  EXPECT_DOUBLE_EQ(figures.confident.f1, 1);
  EXPECT_DOUBLE_EQ(figures.confident75.f1, 1);
  EXPECT_DOUBLE_EQ(figures.ageMs.p50, 0);
  EXPECT_DOUBLE_EQ(figures.ageMs.p95, 100);
}

TEST(BenchLive, StreamingTakesTheNewestBoxesThatAreOutAtEachCapture) {
  // Nothing moves but in frame 2, so that boxes of frame 0 are wrong from then on.
  const FrameDetections reference = {{box(0)}, {box(0)}, {box(200)}, {box(200)}};
  // At the captures: nothing; frame 0; frame 0; frame 2, which was captured at 200 ms.
  const LiveFigures figures =
      measureLive({out(0, 90), out(2, 99)}, kTenAndTwoHundred, !kHoldsBoxes, {reference});
  EXPECT_DOUBLE_EQ(figures.streaming.recall, 0.5);
  EXPECT_DOUBLE_EQ(figures.streaming.precision, 2.0 / 3);
  // Ten milliseconds more, and it is not out when frame 3 is captured.
  EXPECT_DOUBLE_EQ(
      measureLive({out(0, 90), out(2, 109)}, kTenAndTwoHundred, !kHoldsBoxes, {reference})
          .streaming.recall,
      0.25);
}

TEST(BenchLive, StreamingTakesBoxesThatAreKnownThoughTheirFrameIsNotOutYet) {
  const FrameDetections reference = {{box(0)}, {box(0)}, {box(0)}};
  FrameResult first = out(0, 190);
  EXPECT_DOUBLE_EQ(
      measureLive({first}, kTenAndTwoHundred, kHoldsBoxes, {reference}).streaming.recall, 1.0 / 3);
  first.answeredMs = 90;
  EXPECT_DOUBLE_EQ(
      measureLive({first}, kTenAndTwoHundred, kHoldsBoxes, {reference}).streaming.recall, 2.0 / 3);
}

TEST(BenchLive, StreamingTakesFramesThatAreTooLateToBeShown) {
  const FrameDetections reference = {{box(0)}, {box(0)}, {box(0)}, {box(0)}};
  const LiveFigures figures =
      measureLive({out(0, 250)}, kTenAndTwoHundred, !kHoldsBoxes, {reference});
  EXPECT_DOUBLE_EQ(figures.shown, 0);
  EXPECT_DOUBLE_EQ(figures.streaming.recall, 0.25);
}

TEST(BenchLive, AFrameThatPassesTakesNoHeldBoxesFromTheStream) {
  const FrameDetections reference = {{box(0)}, {box(0)}, {box(0)}};
  const std::vector<FrameResult> results = {out(0, 50), passed(1, 50)};
  EXPECT_DOUBLE_EQ(
      measureLive(results, kTenAndTwoHundred, kHoldsBoxes, {reference}).streaming.recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(
      measureLive(results, kTenAndTwoHundred, !kHoldsBoxes, {reference}).streaming.recall, 1.0 / 3);
}

TEST(BenchLive, BothAreComparedWithTheTruthToo) {
  const FrameDetections reference = boxesOf(2);
  Truth truth;
  truth.frames = {{.boxes = {box(0).box}, .ignored = {}}, {.boxes = {box(0).box}, .ignored = {}}};
  const LiveFigures figures =
      measureLive({out(0, 50), out(1, 50)}, kTenAndTwoHundred, !kHoldsBoxes, {reference, &truth});
  EXPECT_DOUBLE_EQ(figures.confidentTruth->f1, 0.5);
  // Nothing at the first capture, and the box of frame 0 at the second one.
  EXPECT_DOUBLE_EQ(figures.streamingTruth->precision, 1);
  EXPECT_DOUBLE_EQ(figures.streamingTruth->recall, 0.5);
  EXPECT_DOUBLE_EQ(figures.streamingTruth->ap, 0.5);
}

TEST(BenchLive, TheWorstIsTakenForEachFigure) {
  LiveFigures quick, sure;
  quick.shown = 1;
  quick.inferred = 0.5;
  quick.delayMs = {.p50 = 60, .p95 = 70, .p99 = 90};
  quick.ageMs = {.p50 = 0, .p95 = 200};
  quick.confident.f1 = 0.7;
  quick.streaming.f1 = 0.6;
  sure.shown = 0.9;
  sure.inferred = 0.8;
  sure.delayMs = {.p50 = 50, .p95 = 80, .p99 = 81};
  sure.ageMs = {.p50 = 0, .p95 = 100};
  sure.confident.f1 = 0.9;
  sure.streaming.f1 = 0.5;
  const LiveFigures worst = worstOf({quick, sure});
  EXPECT_DOUBLE_EQ(worst.shown, 0.9);
  EXPECT_DOUBLE_EQ(worst.inferred, 0.5);
  EXPECT_DOUBLE_EQ(worst.delayMs.p50, 50);
  EXPECT_DOUBLE_EQ(worst.delayMs.p95, 80);
  EXPECT_DOUBLE_EQ(worst.ageMs.p95, 200);
  EXPECT_DOUBLE_EQ(worst.confident.f1, 0.7);
  EXPECT_DOUBLE_EQ(worst.streaming.f1, 0.5);
}

}  // namespace
}  // namespace elf::bench
