// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/fake_end.h"
#include "tests/support/harness.h"
#include "tests/support/own_stream.h"
#include "tests/support/stub_server.h"

namespace elf::gst {
namespace {

using elf::testing::FakeEnd;
using elf::testing::Harness;
using elf::testing::StubServer;

class RpPredict : public ::testing::Test {
 protected:
  RpPredict() {
    elf::testing::putBehind(harness_, end_);
    harness_.setVideo(640, 480);
  }

  FrameRecord pass(int number) {
    EXPECT_EQ(harness_.push(harness_.frame(number)), GST_FLOW_OK);
    GstBuffer* out = harness_.pull();
    FrameRecord record = *getRecord(out);
    gst_buffer_unref(out);
    return record;
  }

  void answer(const FrameRecord& record, const std::vector<Detection>& detections) {
    end_.pass(record, detections);
  }

  void flush() {
    gst_harness_push_event(harness_.get(), gst_event_new_flush_start());
    gst_harness_push_event(harness_.get(), gst_event_new_flush_stop(TRUE));
    pushSegment();
  }
  void pushSegment() {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment));
  }

  static Detection object(Box box) { return {.box = box, .score = 1, .label = "person"}; }

  FakeEnd end_;
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
  EXPECT_NE(record.rps->front().id, kNoIdentity);
  EXPECT_EQ(record.rps->front().label, "person");
}

TEST_F(RpPredict, TimeThatPassedCountsThoughFramesAreLost) {
  const auto at = [](int number) {
    const float x = 100 + 10 * static_cast<float>(number);
    return object({x, 100, x + 50, 200});
  };
  for (const int number : {0, 1, 3}) answer(pass(number), {at(number)});
  const FrameRecord record = pass(7);
  EXPECT_EQ(record.horizon, 1);
  EXPECT_EQ(record.horizonTime, std::chrono::milliseconds(40));
  EXPECT_EQ(record.pts, std::chrono::milliseconds(70));
  EXPECT_NEAR(record.rps->at(0).expected.x0, at(7).box.x0, 5);
}

TEST_F(RpPredict, AnEmptyAnswerMakesRpsKnownAndNone) {
  answer(pass(0), {});
  const FrameRecord record = pass(1);
  ASSERT_TRUE(record.rps.has_value());
  EXPECT_TRUE(record.rps->empty());
}

TEST_F(RpPredict, AFlushForgetsAndAnAnswerFromBeforeIsDropped) {
  answer(pass(0), {object({0, 0, 10, 10})});
  const FrameRecord before = pass(1);
  flush();
  const FrameRecord after = pass(2);
  EXPECT_GT(after.generation, before.generation);
  EXPECT_FALSE(after.rps.has_value());
  answer(before, {});
  EXPECT_FALSE(pass(3).rps.has_value());
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
  FrameRecord second = pass(1);
  second.stream.lock()->slots().setLimits({.bounded = true});
  auto third = std::async(std::launch::async, [&] { return pass(2); });
  EXPECT_EQ(third.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
  answer(second, {object({0, 0, 10, 10})});
  EXPECT_EQ(third.get().horizon, 1);
}

TEST_F(RpPredict, FlushingWakesAWaitingFrame) {
  answer(pass(0), {});
  const FrameRecord second = pass(1);
  second.stream.lock()->slots().setLimits({.bounded = true});
  auto third = std::async(std::launch::async, [&] { return harness_.push(harness_.frame(2)); });
  gst_harness_push_event(harness_.get(), gst_event_new_flush_start());
  EXPECT_EQ(third.get(), GST_FLOW_FLUSHING);
}

TEST_F(RpPredict, AFrameThatIsDroppedOnTheWayIsNotWaitedFor) {
  const elf::gst::StreamPtr stream = pass(0).stream.lock();
  stream->slots().setLimits({.bounded = true});
  for (int i = 1; i < 20; ++i) {
    ASSERT_EQ(harness_.push(harness_.frame(i)), GST_FLOW_OK);
    gst_buffer_unref(harness_.pull());
  }
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

  flush();
  g_object_set(harness_.element(), "coverage", 0.98, nullptr);
  record = pass(number++);
  EXPECT_NEAR(standStill(10), most, 0.2 * most) << "a flush is no new video";

  gst_element_set_state(harness_.element(), GST_STATE_READY);
  gst_element_set_state(harness_.element(), GST_STATE_PLAYING);
  harness_.setVideo(640, 480);
  pushSegment();
  record = pass(number++);
  EXPECT_NEAR(standStill(10), first, 1e-3);
}

TEST_F(RpPredict, AFrameThatNobodyLookedAtTeachesPaddingNothing) {
  for (int i = 0; i < 10; ++i) answer(pass(i), {object({200, 100, 300, 200})});
  for (int i = 10; i < 300; ++i) {
    FrameRecord record = pass(i);
    EXPECT_GT(record.rps->at(0).expected.x0 - record.rps->at(0).box.x0, 2);
    record.skipped = true;
    end_.pass(std::move(record), {});
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
    pushSegment();
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

/** The loop as a whole, without elfmerge. */
class RpPredictLoop : public ::testing::Test {
 protected:
  FrameRecord pass(Harness& harness) {
    EXPECT_EQ(harness.push(harness.frame(next_++)), GST_FLOW_OK);
    GstBuffer* out = harness.pull();
    FrameRecord record = *getRecord(out);
    gst_buffer_unref(out);
    return record;
  }
  static void pushSegment(Harness& harness) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
  }
  std::string launch(const std::string& between = "") const {
    return "elfrppredict name=predict ! " + between +
           "elfpartition scan-interval=0 change-threshold=0 keep-unchanged=0 ! " + between +
           "elfoffload servers=" + server_.url();
  }

  /** Sees a person in the corner of whatever it gets. */
  StubServer server_{[](const wire::InferRequest& request) {
    wire::InferResponse response;
    response.model = "hog";
    response.id = request.id;
    Detection detection;
    detection.box = {0, 0, 40, 80};
    detection.score = 1;
    response.outputs = wire::encodeDetections({{detection}});
    const wire::Message message = wire::encode(response);
    return StubServer::Reply{200, message.body, std::to_string(*message.jsonLength)};
  }};
  int next_ = 0;
};

TEST_F(RpPredictLoop, WhatAFrameHeldIsExpectedInTheNext) {
  Harness harness(launch());
  harness.setVideo(640, 480);
  const FrameRecord first = pass(harness);
  EXPECT_FALSE(first.rps.has_value());
  ASSERT_EQ(first.detections.size(), 1U);
  const FrameRecord second = pass(harness);
  EXPECT_EQ(second.horizon, 1);
  ASSERT_EQ(second.rps->size(), 1U);
  EXPECT_EQ(second.rps->at(0).id, first.detections[0].id);
  ASSERT_EQ(second.plan->parts.size(), 1U);
  EXPECT_EQ(second.plan->parts[0].kind, PartKind::Rp);
}

TEST_F(RpPredictLoop, AQueueInEachGapLetsNoMoreFramesInThanMaxInFlight) {
  server_.hold();
  Harness harness(launch("queue ! ") + " max-in-flight=2");
  harness.setVideo(640, 480);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
  auto third = std::async(std::launch::async, [&] { return harness.push(harness.frame(2)); });
  server_.awaitRequests(2);
  EXPECT_EQ(third.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
  EXPECT_EQ(server_.requests(), 2);
  server_.release();
  EXPECT_EQ(third.get(), GST_FLOW_OK);
  for (std::uint64_t i = 0; i < 3; ++i) {
    GstBuffer* out = harness.pull();
    EXPECT_EQ(getRecord(out)->id, i);
    gst_buffer_unref(out);
  }
}

TEST_F(RpPredictLoop, AFlushBetweenQueuesBeginsAnew) {
  Harness harness(launch("queue ! ") + " deadline=-1");
  harness.setVideo(640, 480);
  const FrameRecord before = pass(harness);
  server_.hold();
  ASSERT_EQ(harness.push(harness.frame(next_++)), GST_FLOW_OK);
  auto waiting =
      std::async(std::launch::async, [&] { return harness.push(harness.frame(next_++)); });
  server_.awaitRequests(2);
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
  gst_harness_push_event(harness.get(), gst_event_new_flush_start());
  EXPECT_EQ(waiting.get(), GST_FLOW_FLUSHING);
  gst_harness_push_event(harness.get(), gst_event_new_flush_stop(TRUE));
  server_.release();
  pushSegment(harness);
  const FrameRecord after = pass(harness);
  EXPECT_FALSE(after.rps.has_value());
  EXPECT_TRUE(after.inferred);
  EXPECT_GT(after.generation, before.generation);
  EXPECT_NE(after.detections.at(0).id, before.detections.at(0).id);
  EXPECT_EQ(pass(harness).detections.at(0).id, after.detections.at(0).id);
}

TEST_F(RpPredictLoop, EosBetweenQueuesLeavesBehindTheFrames) {
  server_.hold();
  Harness harness(launch("queue ! ") + " deadline=-1");
  harness.setVideo(640, 480);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  gst_harness_push_event(harness.get(), gst_event_new_eos());
  server_.awaitRequests(1);
  server_.release();
  GstEventType type = GST_EVENT_UNKNOWN;
  while (type != GST_EVENT_EOS) {
    GstEvent* event = gst_harness_pull_event(harness.get());
    ASSERT_NE(event, nullptr);
    type = GST_EVENT_TYPE(event);
    gst_event_unref(event);
  }
  EXPECT_EQ(gst_harness_buffers_received(harness.get()), 1U);
}

TEST_F(RpPredictLoop, AnotherSizeAndAGapBetweenQueuesForget) {
  Harness harness(launch("queue ! "));
  harness.setVideo(640, 480);
  pass(harness);
  EXPECT_TRUE(pass(harness).rps.has_value());
  harness.setVideo(320, 240);
  const FrameRecord other = pass(harness);
  EXPECT_FALSE(other.rps.has_value());
  EXPECT_EQ(other.size, (Size{320, 240}));
  EXPECT_TRUE(pass(harness).rps.has_value());
  gst_harness_push_event(harness.get(), gst_event_new_gap(0, GST_SECOND));
  EXPECT_FALSE(pass(harness).rps.has_value());
  EXPECT_TRUE(pass(harness).rps.has_value());
}

TEST_F(RpPredictLoop, TwoFramesInFlightAreToldTheTrueHorizon) {
  Harness harness(launch() + " max-in-flight=2");
  harness.setVideo(640, 480);
  pass(harness);
  server_.hold();
  ASSERT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
  auto third = std::async(std::launch::async, [&] { return harness.push(harness.frame(2)); });
  server_.awaitRequests(3);
  server_.release();
  EXPECT_EQ(third.get(), GST_FLOW_OK);
  for (const int horizon : {1, 2}) {
    GstBuffer* out = harness.pull();
    EXPECT_EQ(getRecord(out)->horizon, horizon);
    gst_buffer_unref(out);
  }
}

TEST_F(RpPredictLoop, FramesThatALeakyQueueDropsStallNothing) {
  server_.hold();
  Harness harness("elfrppredict name=predict ! queue leaky=downstream max-size-buffers=1 ! " +
                  launch().substr(launch().find("elfpartition")) + " max-in-flight=3 deadline=-1");
  harness.setVideo(640, 480);
  std::thread pusher([&] {
    for (int i = 0; i < 30; ++i) EXPECT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
  });
  server_.awaitRequests(1);
  server_.release();
  pusher.join();
  // The newest one is never dropped.
  std::uint64_t last = 0;
  while (last != 29) {
    GstBuffer* out = harness.pull();
    ASSERT_NE(out, nullptr);
    last = getRecord(out)->id;
    gst_buffer_unref(out);
  }
}

TEST_F(RpPredictLoop, AFrameThatIsLateShowsWhatIsExpectedAndSaysSo) {
  Harness harness(launch() + " deadline=80");
  harness.setVideo(640, 480);
  const FrameRecord first = pass(harness);
  server_.hold();
  const FrameRecord late = pass(harness);
  EXPECT_FALSE(late.inferred);
  ASSERT_EQ(late.detections.size(), 1U);
  EXPECT_TRUE(late.detections[0].coasted);
  EXPECT_EQ(late.detections[0].id, first.detections.at(0).id);
  server_.release();
  FrameRecord next = pass(harness);
  while (!next.inferred) next = pass(harness);
  GstStructure* stats = nullptr;
  g_object_get(harness.named("predict"), "stats", &stats, nullptr);
  guint64 tardy = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats, "late", &tardy));
  EXPECT_EQ(tardy, 1U) << "the answer that came late was learned from";
  gst_structure_free(stats);
}

TEST_F(RpPredictLoop, ADownstreamThatTakesNothingDoesNotHoldUpTheLoop) {
  Harness harness(launch());
  harness.setVideo(640, 480);
  const gulong block = gst_pad_add_probe(
      harness.get()->sinkpad, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, nullptr, nullptr, nullptr);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
  server_.awaitRequests(10);
  GstStructure* stats = nullptr;
  g_object_get(harness.named("predict"), "stats", &stats, nullptr);
  guint64 rps = 0, cold = 0;
  EXPECT_TRUE(
      gst_structure_get(stats, "rps", G_TYPE_UINT64, &rps, "cold", G_TYPE_UINT64, &cold, nullptr));
  gst_structure_free(stats);
  EXPECT_EQ(cold, 1U);
  EXPECT_EQ(rps, 9U);
  gst_pad_remove_probe(harness.get()->sinkpad, block);
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
