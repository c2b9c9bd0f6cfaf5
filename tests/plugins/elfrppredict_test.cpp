// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <future>

#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/harness.h"

namespace elf::gst {
namespace {

using elf::testing::Harness;

class RpPredict : public ::testing::Test {
 protected:
  RpPredict() { harness_.setVideo(640, 480); }

  FrameRecord pass(int number) {
    EXPECT_EQ(harness_.push(harness_.frame(number)), GST_FLOW_OK);
    GstBuffer* out = harness_.pull();
    FrameRecord record = *getRecord(out);
    gst_buffer_unref(out);
    return record;
  }

  void answer(const FrameRecord& record, std::vector<Detection> detections) {
    Feedback feedback{.id = record.id,
                      .generation = record.generation,
                      .size = record.size,
                      .looked = true,
                      .detections = std::move(detections)};
    gst_harness_push_upstream_event(
        harness_.get(), newDetectionsEvent(std::make_shared<const Feedback>(std::move(feedback))));
  }

  static Detection object(Box box) { return {.box = box, .score = 1, .label = "person", .id = 1}; }

  Harness harness_{"elfrppredict"};
};

TEST_F(RpPredict, RpsAreUnknownUntilAFrameIsAnswered) {
  const FrameRecord first = pass(0);
  EXPECT_EQ(first.id, 0U);
  EXPECT_EQ(first.size, (Size{640, 480}));
  EXPECT_FALSE(first.rps.has_value());
  EXPECT_EQ(first.horizon, 0);
}

TEST_F(RpPredict, AnObjectThatMovesIsExpectedWhereItMovesTo) {
  for (int i = 0; i < 3; ++i)
    answer(pass(i), {object({100.0F + 10 * i, 100, 150.0F + 10 * i, 200})});
  const FrameRecord record = pass(3);
  EXPECT_EQ(record.horizon, 1);
  ASSERT_TRUE(record.rps.has_value());
  ASSERT_EQ(record.rps->size(), 1U);
  // It was last at 120; a network is not as exact as a line.
  EXPECT_NEAR(record.rps->front().expected.x0, 130, 3);
  EXPECT_EQ(record.rps->front().id, 1);
  EXPECT_EQ(record.rps->front().label, "person");
}

TEST_F(RpPredict, AnEmptyAnswerMakesRpsKnownAndNone) {
  answer(pass(0), {});
  const FrameRecord record = pass(1);
  ASSERT_TRUE(record.rps.has_value());
  EXPECT_TRUE(record.rps->empty());
}

TEST_F(RpPredict, AFlushForgetsAndAnAnswerFromBeforeIsDropped) {
  const FrameRecord before = pass(0);
  answer(before, {object({0, 0, 10, 10})});
  gst_harness_push_event(harness_.get(), gst_event_new_flush_start());
  gst_harness_push_event(harness_.get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  const FrameRecord after = pass(1);
  EXPECT_GT(after.generation, before.generation);
  EXPECT_FALSE(after.rps.has_value());
  answer({.id = after.id, .generation = before.generation, .size = after.size}, {});
  EXPECT_FALSE(pass(2).rps.has_value());
}

TEST_F(RpPredict, AChangeOfSizeForgetsAndAChangeOfFormatDoesNot) {
  answer(pass(0), {object({0, 0, 10, 10})});
  harness_.setVideo(640, 480, "NV12");
  const FrameRecord sameSize = pass(1);
  EXPECT_TRUE(sameSize.rps.has_value());
  answer(sameSize, {object({0, 0, 10, 10})});
  harness_.setVideo(320, 240, "NV12");
  const FrameRecord otherSize = pass(2);
  EXPECT_FALSE(otherSize.rps.has_value());
  EXPECT_EQ(otherSize.size, (Size{320, 240}));
}

TEST_F(RpPredict, AGapForgetsAndStallsNothing) {
  answer(pass(0), {object({0, 0, 10, 10})});
  gst_harness_push_event(harness_.get(), gst_event_new_gap(0, GST_SECOND));
  EXPECT_FALSE(pass(1).rps.has_value());
}

TEST_F(RpPredict, ANegativeRateForgets) {
  answer(pass(0), {object({0, 0, 10, 10})});
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.rate = -1;
  segment.stop = 10 * GST_SECOND;
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  EXPECT_FALSE(pass(1).rps.has_value());
}

TEST_F(RpPredict, AFrameWaitsForTheAnswerOfTheOneBeforeAndIsToldTheTrueHorizon) {
  answer(pass(0), {object({0, 0, 10, 10})});
  const FrameRecord second = pass(1);
  auto third = std::async(std::launch::async, [&] { return pass(2); });
  answer(second, {object({0, 0, 10, 10})});
  EXPECT_EQ(third.get().horizon, 1);
}

TEST_F(RpPredict, FlushingWakesAWaitingFrame) {
  answer(pass(0), {});
  pass(1);
  auto third = std::async(std::launch::async, [&] { return harness_.push(harness_.frame(2)); });
  gst_harness_push_event(harness_.get(), gst_event_new_flush_start());
  EXPECT_EQ(third.get(), GST_FLOW_FLUSHING);
}

TEST_F(RpPredict, PaddingLearnsWhatTheWantedCoverageTakesAndForgetsInReady) {
  const auto padding = [](const FrameRecord& record) {
    return record.rps->at(0).expected.x0 - record.rps->at(0).box.x0;
  };
  const Box still{200, 100, 300, 200};
  int number = 0;
  FrameRecord record = pass(number++);
  const auto standStill = [&](int frames) {
    for (int i = 0; i < frames; ++i) {
      answer(record, {object(still)});
      record = pass(number++);
    }
    return padding(record);
  };
  const float first = standStill(10);
  const float learned = standStill(150);
  EXPECT_LT(learned, first / 2) << "it never moved";

  // Objects of which every fifth is somewhere else in each frame: what is wanted decides.
  for (int i = 0; i < 200; ++i) {
    answer(record, {object(i % 5 == 0 ? shift(still, 12, 0) : still)});
    record = pass(number++);
  }
  double coverage = 0;
  g_object_get(harness_.element(), "coverage", &coverage, nullptr);
  EXPECT_EQ(coverage, 0.98);
  const float most = standStill(8);
  g_object_set(harness_.element(), "coverage", 0.5, nullptr);
  EXPECT_LT(standStill(1), most / 2) << "at once, while playing";

  gst_harness_push_event(harness_.get(), gst_event_new_flush_start());
  gst_harness_push_event(harness_.get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  g_object_set(harness_.element(), "coverage", 0.98, nullptr);
  record = pass(number++);
  EXPECT_NEAR(standStill(10), most, 0.2 * most) << "a flush is no new video";

  gst_element_set_state(harness_.element(), GST_STATE_READY);
  gst_element_set_state(harness_.element(), GST_STATE_PLAYING);
  harness_.setVideo(640, 480);
  gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  record = pass(number++);
  EXPECT_NEAR(standStill(10), first, 1e-3);
}

TEST_F(RpPredict, AFrameThatNobodyLookedAtTeachesPaddingNothing) {
  Feedback feedback{.size = {640, 480}};
  FrameRecord record = pass(0);
  for (int i = 1; i < 300; ++i) {
    feedback = {.id = record.id,
                .generation = record.generation,
                .size = record.size,
                .looked = i < 10,
                .skipped = i >= 10,
                .detections = {object({200, 100, 300, 200})}};
    gst_harness_push_upstream_event(harness_.get(),
                                    newDetectionsEvent(std::make_shared<const Feedback>(feedback)));
    record = pass(i);
    if (i < 10) continue;
    EXPECT_EQ(record.horizon, 1);
    EXPECT_GT(record.rps->at(0).expected.x0 - record.rps->at(0).box.x0, 2);
  }
}

TEST_F(RpPredict, EveryRestartRaisesTheGeneration) {
  std::uint32_t last = 0;
  for (int cycle = 0; cycle < 20; ++cycle) {
    const FrameRecord record = pass(cycle);
    EXPECT_FALSE(record.rps.has_value());
    if (cycle > 0) {
      EXPECT_GT(record.generation, last);
    }
    last = record.generation;
    answer(record, {object({0, 0, 10, 10})});
    gst_element_set_state(harness_.element(), GST_STATE_NULL);
    gst_element_set_state(harness_.element(), GST_STATE_PLAYING);
    harness_.setVideo(640, 480);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  }
}

TEST(RpPredictWeights, ThatAreMissingOrOfNoUseAreAnErrorThatNamesTheProperty) {
  const struct {
    const char *settings, *error;
  } cases[] = {
      {"predictor=lstm", "weights: predictor lstm needs some: lstm: no such .safetensors file"},
      {"predictor=attn-lstm weights=/nowhere.safetensors", "weights: /nowhere.safetensors: "},
      {"predictor=last weights=default", "weights: predictor last takes none"},
  };
  for (const auto& [settings, error] : cases) {
    GstElement* element =
        gst_parse_launch((std::string("elfrppredict ") + settings).c_str(), nullptr);
    elf::testing::BusOf bus(element);
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_EQ(bus.text(GST_MESSAGE_ERROR).rfind(error, 0), 0U) << settings;
    gst_element_set_bus(element, nullptr);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
  }
}

TEST_F(RpPredict, PixelsOfASharedBufferAreNotCopied) {
  GstBuffer* in = gst_buffer_ref(harness_.frame(0));
  GstMemory* memory = gst_buffer_peek_memory(in, 0);
  EXPECT_EQ(harness_.push(in), GST_FLOW_OK);
  GstBuffer* out = harness_.pull();
  EXPECT_EQ(gst_buffer_peek_memory(out, 0), memory);
  EXPECT_EQ(getRecord(in), nullptr) << "the buffer that somebody else holds was changed";
  gst_buffer_unref(out);
  gst_buffer_unref(in);
}

}  // namespace
}  // namespace elf::gst
