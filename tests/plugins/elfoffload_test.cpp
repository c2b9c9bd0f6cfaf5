// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfservers.h"
#include "tests/support/bus.h"
#include "tests/support/gate.h"
#include "tests/support/harness.h"
#include "tests/support/own_stream.h"
#include "tests/support/stats.h"
#include "tests/support/stub_server.h"

namespace elf::gst {
namespace {

using namespace std::chrono_literals;
using elf::testing::BusOf;
using elf::testing::Gate;
using elf::testing::Harness;
using elf::testing::OffloadStatsOf;
using elf::testing::OwnStream;
using elf::testing::StubServer;

/** A port of this machine where nobody listens. */
constexpr const char* kNobody = "http://127.0.0.1:1";

FrameRecordPtr take(Harness& harness) {
  GstBuffer* out = harness.pull();
  if (!out) return nullptr;
  FrameRecordPtr record = getRecord(out);
  gst_buffer_unref(out);
  return record;
}

std::string element(const std::string& servers, const std::string& more = {}) {
  return "elfoffload servers=" + servers + " " + more;
}

/** What elements upstream would plan for frames of 64x48. */
class Upstream : public OwnStream {
 public:
  explicit Upstream(Harness& harness) : OwnStream(harness, {64, 48}) {}

  /** A frame that is planned to go whole to one server, so many times. */
  GstBuffer* frameFor(int server, std::size_t parts = 1) const {
    FrameRecord record = enter();
    record.plan.emplace().parts.assign(parts, {.rect = wholeFrame(record.size), .server = server});
    const int number = static_cast<int>(record.id);
    return carry(number, std::move(record));
  }
  /** What a plan would be for, of a frame that is dropped. */
  CapacityPtr capacity() const {
    FrameRecord record = enter();
    stream->plan(this, record, {}, nullptr);
    return record.capacity;
  }
};

/** The harness has started the element already, without this bus. */
void restart(Harness& harness, BusOf& bus) {
  gst_element_set_state(harness.element(), GST_STATE_NULL);
  bus.forget();
  gst_element_set_state(harness.element(), GST_STATE_PLAYING);
}

void pushSegment(Harness& harness) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness.get(), gst_event_new_segment(&segment));
}

/** From now on downstream answers each buffer with `flow`. */
void answerWith(Harness& harness, GstFlowReturn flow) {
  static_assert(sizeof(GstFlowReturn) <= sizeof(gpointer));
  gst_pad_add_probe(
      harness.get()->sinkpad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
        GST_PAD_PROBE_INFO_FLOW_RETURN(info) = static_cast<GstFlowReturn>(GPOINTER_TO_INT(data));
        return GST_PAD_PROBE_HANDLED;
      },
      GINT_TO_POINTER(flow), nullptr);
}

/** From now on each buffer passes the gate before downstream has it. */
void holdBuffers(Harness& harness, Gate& gate) {
  gst_pad_add_probe(
      harness.get()->sinkpad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo*, gpointer data) {
        static_cast<Gate*>(data)->pass();
        return GST_PAD_PROBE_OK;
      },
      &gate, nullptr);
}

/** Until the first server has answered so often, probes too. */
void awaitAnswers(Harness& harness, int count) {
  while (OffloadStatsOf(harness.element()).answers(0) < static_cast<std::uint64_t>(count))
    std::this_thread::yield();
}

/** Pushes frames until one is not taken: downstream is behind by what is held for it. */
GstFlowReturn pushUntilRefused(Harness& harness) {
  GstFlowReturn flow = GST_FLOW_OK;
  for (int i = 0; i < 10000 && flow == GST_FLOW_OK; ++i) flow = harness.push(harness.frame(i));
  return flow;
}

void awaitEvent(Harness& harness, GstEventType wanted) {
  for (GstEventType type = GST_EVENT_UNKNOWN; type != wanted;) {
    GstEvent* event = gst_harness_pull_event(harness.get());
    ASSERT_NE(event, nullptr) << "the event did not come";
    type = GST_EVENT_TYPE(event);
    gst_event_unref(event);
  }
}

TEST(Offload, AFrameWithoutAPlanGoesOutWhole) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  const FrameRecordPtr record = take(harness);
  ASSERT_EQ(record->answers.size(), 1U);
  EXPECT_EQ(record->plan->parts.at(0).rect, (Rect{0, 0, 64, 48}));
  EXPECT_EQ(record->answers[0].state, AnswerState::Answered);
  EXPECT_EQ(record->answers[0].detections.at(0).label, "person");
  EXPECT_EQ(record->capacity->servers.at(0).url, server.url());
}

TEST(Offload, OddAndTinySizesAreSent) {
  StubServer server;
  for (const Size size : {Size{1, 1}, Size{3, 5}, Size{65, 47}}) {
    for (const char* format : {"I420", "NV12", "BGR", "GRAY8", "ARGB"}) {
      Harness harness(element(server.url()));
      harness.setVideo(size.width, size.height, format);
      ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
      EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered) << format;
    }
  }
}

TEST(Offload, PixelsGoAsJpegOrAsTheyAre) {
  wire::Tensor image;
  StubServer server([&image](const wire::InferRequest& request) {
    image = request.inputs.at(0);
    return StubServer::good(request);
  });
  const struct {
    const char* encoding;
    wire::DataType type;
  } cases[] = {{"raw", wire::DataType::Uint8},
               {"jpeg", wire::DataType::Bytes},
               // It does not say that it takes anything but the JPEG of the protocol's table.
               {"auto", wire::DataType::Bytes}};
  for (const auto& [encoding, type] : cases) {
    Harness harness(element(server.url(), std::string("encoding=") + encoding));
    harness.setVideo(64, 48);
    ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
    const FrameRecordPtr record = take(harness);
    EXPECT_EQ(image.type, type) << encoding;
    EXPECT_EQ(record->answers.at(0).bytesSent, image.data.size());
    if (type == wire::DataType::Uint8) {
      EXPECT_EQ(image.shape, (std::vector<std::int64_t>{1, 48, 64, 3}));
    }
  }
}

TEST(Offload, EachRequestCarriesTheTraceOfItsFrameAndASpanOfItsOwn) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  std::vector<std::string> seen;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
    const FrameRecordPtr record = take(harness);
    const std::string& span = record->answers.at(0).span;
    EXPECT_THAT(record->trace, ::testing::MatchesRegex("[0-9a-f]{32}"));
    EXPECT_THAT(span, ::testing::MatchesRegex("[0-9a-f]{16}"));
    EXPECT_EQ(server.lastHeader("traceparent"), "00-" + record->trace + "-" + span + "-01");
    EXPECT_EQ(std::ranges::count(seen, record->trace) + std::ranges::count(seen, span), 0);
    seen.insert(seen.end(), {record->trace, span});
  }
}

TEST(Offload, RequestsNameTheirStream) {
  StubServer server;
  std::vector<std::string> seen;
  for (int which = 0; which < 2; ++which) {
    Harness harness(element(server.url()));
    harness.setVideo(64, 48);
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
      take(harness);
      seen.push_back(server.lastHeader("Elf-Stream"));
    }
  }
  EXPECT_THAT(seen[0], ::testing::MatchesRegex("[0-9a-f]{16}"));
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[2], seen[3]);
  EXPECT_NE(seen[0], seen[2]);
}

TEST(Offload, ABudgetMakesPicturesSmallerAndSaysByHowMuch) {
  StubServer server;
  Harness harness(element(server.url(), "encoding=jpeg bandwidth=1000"));
  harness.setVideo(640, 480);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  const FrameRecordPtr record = take(harness);
  const double scale = record->plan->parts.at(0).scale;
  EXPECT_LT(scale, 1);
  EXPECT_EQ(record->answers.at(0).state, AnswerState::Answered);
  GstStructure* stats = nullptr;
  g_object_get(harness.element(), "stats", &stats, nullptr);
  int quality = 0;
  double told = 0;
  EXPECT_TRUE(gst_structure_get(stats, "quality", G_TYPE_INT, &quality, "scale", G_TYPE_DOUBLE,
                                &told, nullptr));
  gst_structure_free(stats);
  EXPECT_EQ(quality, 30);
  EXPECT_EQ(told, scale);
}

TEST(Offload, FramesThatTheBudgetHasNoRoomForPassUnsent) {
  StubServer server;
  Harness harness(element(server.url(), "encoding=jpeg bandwidth=1"));
  harness.setVideo(640, 480);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
  EXPECT_FALSE(take(harness)->skipped);
  for (int i = 1; i < 5; ++i) {
    const FrameRecordPtr record = take(harness);
    EXPECT_TRUE(record->skipped);
    EXPECT_EQ(record->wholeBytes, 0U);
  }
  EXPECT_EQ(server.requests(), 1);
  EXPECT_EQ(OffloadStatsOf(harness.element()).count("skipped"), 4U);
}

TEST(Offload, TellsWhatWholeFramesWouldHaveBeen) {
  StubServer server;
  Harness harness(element(server.url(), "encoding=jpeg"));
  harness.setVideo(640, 480);
  const OwnStream upstream(harness, {640, 480});
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  const FrameRecordPtr whole = take(harness);
  EXPECT_EQ(whole->wholeBytes, whole->answers.at(0).bytesSent);
  Plan half;
  half.parts.push_back({.rect = {0, 0, 320, 480}});
  for (const Plan& plan : {half, Plan()}) {
    FrameRecord record = upstream.enter();
    record.plan = plan;
    ASSERT_EQ(harness.push(upstream.carry(1, std::move(record))), GST_FLOW_OK);
    const FrameRecordPtr sent = take(harness);
    EXPECT_LT(sent->bytesSent(), sent->wholeBytes);
    EXPECT_NEAR(static_cast<double>(sent->wholeBytes), static_cast<double>(whole->wholeBytes),
                0.02 * static_cast<double>(whole->wholeBytes));
  }
  EXPECT_NEAR(static_cast<double>(OffloadStatsOf(harness.element()).count("bytes-whole")),
              3.0 * static_cast<double>(whole->wholeBytes),
              0.04 * static_cast<double>(whole->wholeBytes));
}

TEST(Offload, AFrameIsAnsweredThoughItsStreamsOwnerIsGone) {
  StubServer server;
  Harness harness(element(server.url(), "max-in-flight=2"));
  harness.setVideo(64, 48);
  auto upstream = std::make_unique<Upstream>(harness);
  server.hold();
  ASSERT_EQ(harness.push(upstream->frameFor(0)), GST_FLOW_OK);
  server.awaitRequests(1);
  upstream.reset();  // as an application does that takes elfrppredict out of a running pipeline
  server.release();
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
  ASSERT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
}

TEST(Offload, AFrameWhoseStreamIsGoneIsSentWhole) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  auto upstream = std::make_unique<Upstream>(harness);
  GstBuffer* buffer = upstream->frameFor(0);
  upstream.reset();
  ASSERT_EQ(harness.push(buffer), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
}

TEST(Offload, AnEmptyPlanPassesWithoutARequest) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  ASSERT_EQ(harness.push(upstream.frameFor(0, 0)), GST_FLOW_OK);
  const FrameRecordPtr record = take(harness);
  EXPECT_TRUE(record->answers.empty());
  EXPECT_TRUE(record->inferred);
  EXPECT_EQ(server.requests(), 0);
}

TEST(Offload, FramesKeepTheirOrderAndTheirOwnAnswers) {
  StubServer slow, quick;
  slow.hold();
  Harness harness(element(slow.url() + "," + quick.url(), "max-in-flight=3"));
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  // Frame 0 is held by the first server; frame 1 is answered before it by the other.
  ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
  ASSERT_EQ(harness.push(upstream.frameFor(1)), GST_FLOW_OK);
  slow.awaitRequests(1);
  quick.awaitRequests(1);
  EXPECT_EQ(gst_harness_buffers_received(harness.get()), 0U);
  slow.release();
  for (std::uint64_t i = 0; i < 2; ++i) {
    const FrameRecordPtr record = take(harness);
    EXPECT_EQ(record->id, i);
    EXPECT_EQ(record->answers.at(0).detections.at(0).score, static_cast<float>(i));
  }
}

TEST(Offload, AFlushWakesAChainThatWaits) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=-1"));
  harness.setVideo(64, 48);
  GstFlowReturn flow = GST_FLOW_OK;
  std::thread pusher([&] { flow = harness.push(harness.frame(0)); });
  server.awaitRequests(1);
  gst_harness_push_event(harness.get(), gst_event_new_flush_start());
  pusher.join();
  EXPECT_EQ(flow, GST_FLOW_FLUSHING);
  gst_harness_push_event(harness.get(), gst_event_new_flush_stop(TRUE));
  server.release();
  pushSegment(harness);
  ASSERT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
}

TEST(Offload, EosLeavesBehindTheFrames) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "max-in-flight=4"));
  harness.setVideo(64, 48);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
  gst_harness_push_event(harness.get(), gst_event_new_eos());
  server.release();
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(take(harness)->id, i);
  awaitEvent(harness, GST_EVENT_EOS);
}

TEST(Offload, GapsAndCapsWaitBehindTheFramesInFlight) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "max-in-flight=4"));
  harness.setVideo(64, 48);
  struct Log {
    std::mutex mutex;
    std::vector<std::string> lines;
  } log;
  gst_pad_add_probe(
      harness.get()->sinkpad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      [](GstPad* pad, GstPadProbeInfo* info, gpointer data) {
        auto* l = static_cast<Log*>(data);
        std::string line;
        if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
          GstCaps* caps = gst_pad_get_current_caps(pad);
          int width = 0;
          gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &width);
          gst_caps_unref(caps);
          line = "frame " + std::to_string(width);
        } else {
          line = GST_EVENT_TYPE_NAME(GST_PAD_PROBE_INFO_EVENT(info));
        }
        const std::lock_guard lock(l->mutex);
        l->lines.push_back(line);
        return GST_PAD_PROBE_OK;
      },
      &log, nullptr);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  gst_harness_push_event(harness.get(), gst_event_new_gap(0, GST_SECOND));
  harness.setVideo(32, 24);
  ASSERT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
  gst_harness_push_event(harness.get(), gst_event_new_eos());
  server.release();
  awaitEvent(harness, GST_EVENT_EOS);
  const std::lock_guard lock(log.mutex);
  // What the harness began with may come before or after the probe.
  const auto first = std::ranges::find(log.lines, "frame 64");
  EXPECT_EQ((std::vector<std::string>{first, log.lines.end()}),
            (std::vector<std::string>{"frame 64", "gap", "caps", "segment", "frame 32", "eos"}));
}

TEST(Offload, WhatDownstreamReturnsTravelsUpstream) {
  StubServer server;
  for (const GstFlowReturn flow :
       {GST_FLOW_EOS, GST_FLOW_NOT_LINKED, GST_FLOW_ERROR, GST_FLOW_CUSTOM_ERROR}) {
    Harness harness(element(server.url()));
    harness.setVideo(64, 48);
    answerWith(harness, flow);
    EXPECT_EQ(pushUntilRefused(harness), flow) << gst_flow_get_name(flow);
    EXPECT_EQ(harness.push(harness.frame(1)), flow) << gst_flow_get_name(flow);
  }
}

/** Downstream wants no more: it has refused one frame, and the next waits for an answer that does
 * not come. */
class OffloadRefused : public ::testing::Test {
 protected:
  void SetUp() override {
    harness_.setVideo(64, 48);
    gst_pad_add_probe(
        harness_.get()->sinkpad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer refusal) {
          static_cast<Gate*>(refusal)->pass();
          gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
          GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_EOS;
          return GST_PAD_PROBE_HANDLED;
        },
        &refusal_, nullptr);
    refusal_.close();
    EXPECT_EQ(harness_.push(upstream_.frameFor(0)), GST_FLOW_OK);
    refusal_.awaitEntered(1);
    server_.hold();
    waiting_ = push();
    server_.awaitRequests(2);
    refusal_.open();
  }
  void TearDown() override { server_.release(); }

  std::future<GstFlowReturn> push() {
    return std::async(std::launch::async, [this] { return harness_.push(upstream_.frameFor(0)); });
  }
  /** In time; else answers what is held. */
  void expectEos(std::future<GstFlowReturn>& flow) {
    if (flow.wait_for(5s) == std::future_status::timeout) {
      ADD_FAILURE() << "it waits for an answer that nobody wants";
      server_.release();
    }
    EXPECT_EQ(flow.get(), GST_FLOW_EOS);
  }
  void end() {
    gst_harness_push_event(harness_.get(), gst_event_new_eos());
    awaitEvent(harness_, GST_EVENT_EOS);
  }

  Gate refusal_;
  StubServer server_;
  Harness harness_{element(server_.url(), "deadline=-1")};
  const Upstream upstream_{harness_};
  std::future<GstFlowReturn> waiting_;
};

TEST_F(OffloadRefused, WhoeverWaitsInTheElementHearsOfIt) {
  expectEos(waiting_);
}

TEST_F(OffloadRefused, WhoeverWaitsUpstreamForASlotHearsOfIt) {
  auto next = push();
  expectEos(next);
  expectEos(waiting_);
}

TEST_F(OffloadRefused, EosGetsPastTheFramesThatAreLeft) {
  expectEos(waiting_);
  end();
}

TEST(Offload, ANewSegmentEndsTheEosOfDownstreamForTheVeryNextFrame) {
  StubServer server;
  Harness harness(element(server.url(), "max-in-flight=2"));
  harness.setVideo(64, 48);
  const gulong probe = gst_pad_add_probe(
      harness.get()->sinkpad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer) {
        gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
        GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_EOS;
        return GST_PAD_PROBE_HANDLED;
      },
      nullptr, nullptr);
  ASSERT_EQ(pushUntilRefused(harness), GST_FLOW_EOS);
  gst_pad_remove_probe(harness.get()->sinkpad, probe);
  pushSegment(harness);
  EXPECT_EQ(harness.push(harness.frame(9)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
}

TEST(Offload, GoesOnWhenItIsLinkedAgain) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  GstPad* src = gst_element_get_static_pad(harness.element(), "src");
  ASSERT_TRUE(gst_pad_unlink(src, harness.get()->sinkpad));
  EXPECT_EQ(pushUntilRefused(harness), GST_FLOW_NOT_LINKED);
  // Linking sends RECONFIGURE upstream.
  ASSERT_EQ(gst_pad_link(src, harness.get()->sinkpad), GST_PAD_LINK_OK);
  gst_object_unref(src);
  EXPECT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
  EXPECT_NE(take(harness), nullptr);
}

TEST(Offload, ADuplicateOfAFrameIsNotSentAgainAndGetsTheSameAnswers) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=-1 max-in-flight=2"));
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  const FrameRecord record = upstream.enter();
  ASSERT_EQ(harness.push(upstream.carry(0, record)), GST_FLOW_OK);
  ASSERT_EQ(harness.push(upstream.carry(1, record)), GST_FLOW_OK) << "it takes no second slot";
  server.awaitRequests(1);
  server.release();
  FrameRecordPtr first;
  for (int i = 0; i < 2; ++i) {
    const FrameRecordPtr answered = take(harness);
    EXPECT_EQ(answered->id, record.id);
    EXPECT_EQ(answered->answers.at(0).state, AnswerState::Answered);
    EXPECT_TRUE(!first || answered->detections == first->detections);
    first = answered;
  }
  ASSERT_EQ(harness.push(upstream.carry(2, record)), GST_FLOW_OK) << "also when it comes later";
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
  EXPECT_EQ(server.requests(), 1);
}

TEST(Offload, AFrameThatComesBackAnsweredIsAFrameLikeAnyOther) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  for (int i = 1; i < 4; ++i) {
    GstBuffer* again = harness.pull();
    ASSERT_EQ(harness.push(again), GST_FLOW_OK);
    EXPECT_EQ(server.requests(), i + 1);
  }
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
}

TEST(Offload, AFrameWhoseBufferIsReleasedOnTheWayLeavesItsSlot) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=-1"));
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  for (int i = 0; i < 20; ++i) gst_buffer_unref(upstream.frameFor(0));
  ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
  EXPECT_EQ(server.requests(), 1);
}

TEST(Offload, FramesThatAValveDropsStallNothing) {
  StubServer server;
  Harness harness("elfrppredict ! valve name=valve drop=true ! " +
                  element(server.url(), "deadline=-1"));
  harness.setVideo(64, 48);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
  g_object_set(harness.named("valve"), "drop", FALSE, nullptr);
  for (int i = 20; i < 23; ++i) {
    ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
    EXPECT_EQ(take(harness)->id, static_cast<std::uint64_t>(i));
  }
  EXPECT_EQ(server.requests(), 3);
}

TEST(Offload, AnotherElfoffloadOfTheSameStreamSendsForItselfAndWarnsOnce) {
  StubServer first, second;
  Harness harness(element(first.url())), other(element(second.url()));
  BusOf bus(harness.element()), otherBus(other.element());
  for (Harness* each : {&harness, &other}) each->setVideo(64, 48);
  const Upstream upstream(harness);
  for (int i = 0; i < 3; ++i) {
    const FrameRecord record = upstream.enter();
    ASSERT_EQ(harness.push(upstream.carry(i, record)), GST_FLOW_OK);
    ASSERT_EQ(other.push(upstream.carry(i, record)), GST_FLOW_OK);
    for (Harness* each : {&harness, &other})
      EXPECT_EQ(take(*each)->answers.at(0).state, AnswerState::Answered);
  }
  EXPECT_EQ(first.requests(), 3);
  EXPECT_EQ(second.requests(), 3);
  EXPECT_EQ(upstream.stream->stats().answers, 3U);
  EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 0);
  EXPECT_EQ(otherBus.count(GST_MESSAGE_WARNING), 1);
}

TEST(Offload, WhatIsNotAnsweredByTheDeadlineIsLate) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=100"));
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Late);
}

TEST(Offload, AnAnswerMakesRoomWhateverIsDownstream) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=-1"));
  harness.setVideo(64, 48);
  Gate sink;
  sink.close();
  holdBuffers(harness, sink);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
  server.awaitRequests(20);
  sink.open();
  for (std::uint64_t i = 0; i < 20; ++i) {
    const FrameRecordPtr record = take(harness);
    EXPECT_EQ(record->id, i);
    EXPECT_TRUE(record->inferred);
  }
}

/** So many of the frames that are pushed find room where downstream takes none. */
void expectRoomFor(int frames, const std::string& properties, bool stamped) {
  StubServer server;
  Harness harness(element(server.url(), properties));
  harness.setVideo(64, 48);
  Gate sink;
  sink.close();
  holdBuffers(harness, sink);
  std::atomic<int> pushed = 0;
  std::thread pusher([&] {
    for (int i = 0; i < frames + 10; ++i) {
      GstBuffer* buffer = harness.frame(i);
      if (!stamped) GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
      EXPECT_EQ(harness.push(buffer), GST_FLOW_OK);
      ++pushed;
      pushed.notify_all();
    }
  });
  for (int seen = 0; (seen = pushed) < frames;) pushed.wait(seen);
  server.awaitRequests(frames + 1);
  EXPECT_EQ(pushed, frames);
  sink.open();
  pusher.join();
  for (int i = 0; i < frames + 10; ++i) EXPECT_EQ(take(harness)->id, static_cast<std::uint64_t>(i));
}

TEST(Offload, WhatWaitsForDownstreamIsBoundedByTime) {
  // One is on its way downstream, eleven of a hundredth of a second wait.
  expectRoomFor(12, "deadline=100", true);
}

TEST(Offload, WithoutTimeStampsWhatWaitsForDownstreamAreThirtyFrames) {
  expectRoomFor(30, "deadline=100", false);
}

TEST(Offload, AnUnreachableServerIsOneWarningAndLosesNoFrame) {
  Harness harness(element(kNobody));
  BusOf bus(harness.element());
  restart(harness, bus);
  harness.setVideo(64, 48);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Failed);
  EXPECT_NE(bus.text(GST_MESSAGE_WARNING).find(kNobody), std::string::npos);
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING));
}

TEST(Offload, AServerWithoutTheModelIsAnErrorThatNamesBoth) {
  StubServer server;
  server.hasModel = false;
  Harness harness(element(server.url(), "model=nosuch"));
  BusOf bus(harness.element());
  restart(harness, bus);
  const std::string text = bus.text(GST_MESSAGE_ERROR);
  EXPECT_EQ(text, "Inference server " + server.url() + " has no model 'nosuch'.");
}

TEST(Offload, PartsThatFailNowAndThenAreOneWarningWithTheServersWords) {
  int count = 0;
  StubServer server([&count](const wire::InferRequest& request) {
    if (StubServer::isProbe(request) || count++ % 2 == 1) return StubServer::good(request);
    const std::string words = "out of memory";
    return StubServer::Reply{500, {words.begin(), words.end()}, {}};
  });
  Harness harness(element(server.url()));
  BusOf bus(harness.element());
  restart(harness, bus);
  harness.setVideo(64, 48);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
    take(harness);
  }
  EXPECT_EQ(bus.text(GST_MESSAGE_WARNING),
            "Parts fail at " + server.url() + ": HTTP status 500, out of memory");
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING));
}

TEST(Offload, SettingsThatCannotBeAreAnErrorThatNamesTheProperty) {
  const struct {
    const char *setting, *property;
  } cases[] = {{"servers=\"\"", "servers"},
               {"servers=ftp://x", "servers"},
               {"servers=http://x model=\"\"", "model"},
               {"servers=http://x model=a/b", "model"},
               {"servers=http://x model-version=1/infer", "model-version"},
               {"servers=http://x tensor-names=picture=x", "tensor-names"}};
  for (const auto& [setting, property] : cases) {
    GstElement* offload = gst_parse_launch((std::string("elfoffload ") + setting).c_str(), nullptr);
    BusOf bus(offload);
    EXPECT_EQ(gst_element_set_state(offload, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_EQ(bus.text(GST_MESSAGE_ERROR).rfind(std::string(property) + ": ", 0), 0U) << setting;
    gst_element_set_bus(offload, nullptr);
    gst_element_set_state(offload, GST_STATE_NULL);
    gst_object_unref(offload);
  }
}

TEST(Offload, ThePictureGoesByTheNameThatTheServerHasForIt) {
  std::string name;
  StubServer server([&name](const wire::InferRequest& request) {
    name = request.inputs.at(0).name;
    return StubServer::good(request);
  });
  Harness harness(element(server.url(), "tensor-names=image=pixels"));
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
  EXPECT_EQ(name, "pixels");
}

TEST(Offload, HugeGarbledAndForeignAnswersFailAndNameTheServer) {
  const std::vector<StubServer::Infer> liars = {
      [](const wire::InferRequest&) {
        return StubServer::Reply{200, std::vector<std::uint8_t>(20U << 20, 'x'), ""};
      },
      [](const wire::InferRequest& request) {
        StubServer::Reply reply = StubServer::good(request);
        reply.body.resize(reply.body.size() / 2);
        return reply;
      },
      [](wire::InferRequest request) {
        request.id = "9.9.9.9";
        return StubServer::good(request);
      },
      [](const wire::InferRequest&) {
        return StubServer::Reply{200, {'{', '}'}, "-5"};
      }};
  for (const StubServer::Infer& liar : liars) {
    StubServer server(liar);
    Harness harness(element(server.url()));
    harness.setVideo(64, 48);
    ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
    const PartAnswer answer = take(harness)->answers.at(0);
    EXPECT_EQ(answer.state, AnswerState::Failed);
    EXPECT_EQ(answer.error.rfind(server.url(), 0), 0U) << answer.error;
  }
}

TEST(Offload, GoesUpAndDownManyTimesAlsoWithRequestsUnderWay) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=-1 max-in-flight=2"));
  harness.setVideo(64, 48);
  for (int i = 1; i <= 10; ++i) {
    gst_element_set_state(harness.element(), GST_STATE_PLAYING);
    gst_harness_push_event(harness.get(), gst_event_new_stream_start("again"));
    harness.setVideo(64, 48);
    pushSegment(harness);
    ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
    server.awaitRequests(i);
    gst_element_set_state(harness.element(), GST_STATE_NULL);
  }
}

TEST(Offload, AddsItsDeadlineToTheLatencyOfALiveSourceOnly) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=300"));
  harness.setVideo(64, 48);
  harness.setLatency(true, 20 * GST_MSECOND);
  EXPECT_EQ(gst_harness_query_latency(harness.get()), 320 * GST_MSECOND);
}

TEST(Offload, LeavesTheLatencyOfAFileAlone) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=-1"));
  harness.setVideo(64, 48);
  harness.setLatency(false, 3, 5);
  GstQuery* query = gst_query_new_latency();
  ASSERT_TRUE(gst_pad_peer_query(harness.get()->sinkpad, query));
  gboolean live = TRUE;
  GstClockTime least = 0, most = 0;
  gst_query_parse_latency(query, &live, &least, &most);
  EXPECT_FALSE(live);
  EXPECT_EQ(least, 3U);
  EXPECT_EQ(most, 5U);
  gst_query_unref(query);
}

TEST(Offload, TellsAsTheMostWhatItCanHold) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=300"));
  harness.setVideo(64, 48);
  harness.setLatency(true, 20 * GST_MSECOND, 50 * GST_MSECOND);
  GstQuery* query = gst_query_new_latency();
  ASSERT_TRUE(gst_pad_peer_query(harness.get()->sinkpad, query));
  gboolean live = FALSE;
  GstClockTime least = 0, most = 0;
  gst_query_parse_latency(query, &live, &least, &most);
  EXPECT_TRUE(live);
  EXPECT_EQ(least, 320 * GST_MSECOND);
  EXPECT_EQ(most, 350 * GST_MSECOND);
  gst_query_unref(query);
}

TEST(Offload, AddsHalfASecondToALiveSourceUnlessItIsTold) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  harness.setLatency(true, 0);
  EXPECT_EQ(gst_harness_query_latency(harness.get()), 500 * GST_MSECOND);
}

TEST(Offload, NoDeadlineWhereTheSourceIsLiveIsOneErrorThatNamesIt) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=-1"));
  BusOf bus(harness.element());
  harness.setVideo(64, 48);
  harness.setLatency(true, 0);
  for (int i = 0; i < 2; ++i) {
    GstQuery* query = gst_query_new_latency();
    EXPECT_FALSE(gst_pad_peer_query(harness.get()->sinkpad, query));
    gst_query_unref(query);
  }
  EXPECT_EQ(bus.text(GST_MESSAGE_ERROR).rfind("deadline: ", 0), 0U);
  EXPECT_EQ(bus.count(GST_MESSAGE_ERROR), 0);
}

TEST(Offload, AnotherDeadlineIsALatencyMessageAndTheSameOneIsNone) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=300"));
  BusOf bus(harness.element());
  g_object_set(harness.element(), "deadline", 300, nullptr);
  EXPECT_FALSE(bus.has(GST_MESSAGE_LATENCY));
  g_object_set(harness.element(), "deadline", 400, nullptr);
  EXPECT_EQ(bus.count(GST_MESSAGE_LATENCY), 1);
}

TEST(Offload, ProposesVideoMetaAndMoreBuffers) {
  StubServer server;
  Harness harness(element(server.url(), "max-in-flight=5"));
  harness.setVideo(64, 48);
  GstCaps* caps = gst_pad_get_current_caps(harness.get()->srcpad);
  GstQuery* query = gst_query_new_allocation(caps, TRUE);
  ASSERT_TRUE(gst_pad_peer_query(harness.get()->srcpad, query));
  EXPECT_TRUE(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr));
  ASSERT_GE(gst_query_get_n_allocation_pools(query), 1U);
  guint least = 0;
  GstBufferPool* pool = nullptr;
  gst_query_parse_nth_allocation_pool(query, 0, &pool, nullptr, &least, nullptr);
  EXPECT_GE(least, 5U);
  if (pool) gst_object_unref(pool);
  gst_query_unref(query);
  gst_caps_unref(caps);
}

TEST(Offload, TellsTheServersAndTheRulesOfTheirModel) {
  StubServer server;
  Harness harness(element(server.url() + "," + server.url(), "max-in-flight=3"));
  const CapacityPtr capacity = Upstream(harness).capacity();
  ASSERT_NE(capacity, nullptr);
  EXPECT_EQ(capacity->servers.size(), 2U);
  EXPECT_EQ(capacity->maxInFlight, 3);
  EXPECT_EQ(capacity->rules.label(0), "person");
}

TEST(Offload, FramesThatAreLateForTheSinkPassUnsent) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  gst_harness_push_upstream_event(
      harness.get(), gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2, 50 * GST_MSECOND, 0));
  ASSERT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
  EXPECT_TRUE(take(harness)->skipped);
  ASSERT_EQ(harness.push(harness.frame(100)), GST_FLOW_OK);
  EXPECT_FALSE(take(harness)->skipped);
  EXPECT_EQ(server.requests(), 1);
  EXPECT_EQ(OffloadStatsOf(harness.element()).count("skipped"), 1U);
}

TEST(Offload, LeakyPassesWhatComesWhileOthersAreInFlightAndKeepsTheOrder) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=-1 leaky=true"));
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  constexpr int kFrames = 5;
  for (int i = 0; i < kFrames; ++i)
    ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK) << "nobody waits";
  EXPECT_EQ(gst_harness_buffers_received(harness.get()), 0U);
  server.awaitRequests(1);
  server.release();
  for (std::uint64_t i = 0; i < kFrames; ++i) {
    const FrameRecordPtr record = take(harness);
    EXPECT_EQ(record->id, i);
    EXPECT_EQ(record->skipped, i > 0);
  }
  EXPECT_EQ(server.requests(), 1);
  EXPECT_EQ(OffloadStatsOf(harness.element()).count("skipped"), std::uint64_t{kFrames - 1});
}

TEST(Offload, LeakyCountsOpenRequestsAndNotFramesThatWaitForDownstream) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=-1 leaky=true max-in-flight=2"));
  harness.setVideo(64, 48);
  Gate sink;
  sink.close();
  holdBuffers(harness, sink);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
    server.awaitRequests(i + 1);
    awaitAnswers(harness, 4 + i + 1);
  }
  sink.open();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(take(harness)->inferred);
}

TEST(Offload, LeakyHoldsNoMoreThanThirtyFramesWithoutTimeStamps) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=-1 leaky=true"));
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  std::atomic<int> pushed = 0;
  std::thread pusher([&] {
    for (int i = 0; i < 40; ++i) {
      GstBuffer* buffer = upstream.frameFor(0);
      GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
      EXPECT_EQ(harness.push(buffer), GST_FLOW_OK);
      ++pushed;
      pushed.notify_all();
    }
  });
  for (int seen = 0; (seen = pushed) < 29;) pushed.wait(seen);
  server.awaitRequests(1);
  EXPECT_EQ(pushed, 29) << "the thirtieth waits in elfoffload's chain";
  server.release();
  pusher.join();
  for (std::uint64_t i = 0; i < 40; ++i) EXPECT_EQ(take(harness)->id, i);
}

TEST(Offload, APartThatIsLateIsAnsweredByTheOtherServer) {
  StubServer slow, fast;
  Harness harness(element(slow.url() + "," + fast.url(), "deadline=-1"));
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).server, 0);
  slow.hold();
  ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
  const FrameRecordPtr record = take(harness);
  EXPECT_EQ(record->answers.at(0).state, AnswerState::Answered);
  EXPECT_EQ(record->answers.at(0).server, 1);
  const OffloadStatsOf stats(harness.element());
  EXPECT_EQ(stats.count("parts-hedged"), 1U);
  EXPECT_EQ(stats.count("hedges-won"), 1U);
}

TEST(Offload, ServersChangeWhilePlaying) {
  StubServer first, second;
  Harness harness(element(first.url()));
  BusOf bus(harness.element());
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);

  const std::string both = first.url() + "," + second.url();
  g_object_set(harness.element(), "servers", both.c_str(), nullptr);
  for (int server = 0; server == 0;) {
    ASSERT_EQ(harness.push(upstream.frameFor(1)), GST_FLOW_OK);
    server = take(harness)->answers.at(0).server;
  }
  EXPECT_EQ(bus.text(GST_MESSAGE_INFO), "Inference server " + second.url() + " answers.");
  const int asked = second.requests();
  g_object_set(harness.element(), "servers", second.url().c_str(), nullptr);
  ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
  const FrameRecordPtr record = take(harness);
  EXPECT_EQ(record->answers.at(0).state, AnswerState::Answered);
  EXPECT_EQ(record->capacity->servers.at(1).url, second.url());
  EXPECT_EQ(second.requests(), asked + 1);
  const OffloadStatsOf stats(harness.element());
  ASSERT_EQ(stats.servers(), 1U);
  EXPECT_EQ(stats.url(0), second.url());
}

TEST(Offload, BadServersWhilePlayingAreAWarningAndChangeNothing) {
  StubServer server;
  Harness harness(element(server.url()));
  BusOf bus(harness.element());
  g_object_set(harness.element(), "servers", "ftp://x", nullptr);
  EXPECT_EQ(bus.text(GST_MESSAGE_WARNING).rfind("servers: ", 0), 0U);
  gchar* servers = nullptr;
  g_object_get(harness.element(), "servers", &servers, nullptr);
  EXPECT_EQ(servers, server.url());
  g_free(servers);
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
}

TEST(Offload, OneServerOfSeveralThatGoesIsNewsAndTheLastOneAWarning) {
  auto first = std::make_unique<StubServer>(), second = std::make_unique<StubServer>();
  const std::string gone = first->url();
  Harness harness(element(first->url() + "," + second->url()));
  BusOf bus(harness.element());
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
  EXPECT_NE(take(harness), nullptr);
  const auto pushUntil = [&](GstMessageType type) {
    for (int i = 1;; ++i) {
      EXPECT_EQ(harness.push(upstream.frameFor(i % 2)), GST_FLOW_OK);
      const FrameRecordPtr record = take(harness);
      EXPECT_TRUE(!second || record->answers.at(0).state == AnswerState::Answered);
      if (GstMessage* message = bus.pop(type)) {
        const std::string text = elf::testing::textOf(message);
        gst_message_unref(message);
        return text;
      }
    }
  };
  first.reset();
  EXPECT_NE(pushUntil(GST_MESSAGE_INFO).find(gone), std::string::npos);
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING));
  second.reset();
  EXPECT_EQ(pushUntil(GST_MESSAGE_WARNING).rfind("No inference server is left", 0), 0U);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
    EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Failed);
  }
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING)) << "one, not one for each frame";
}

/** Properties that change while a request is under way that is not answered. */
class OffloadChanges : public ::testing::Test {
 protected:
  void use(const std::string& properties) {
    harness_ = std::make_unique<Harness>(element(server_.url(), properties));
    harness_->setVideo(640, 480);
  }
  void set(const char* property, int value) {
    g_object_set(harness_->element(), property, value, nullptr);
  }
  /** Of a picture that JPEG can make smaller. */
  GstBuffer* frame(int number) const {
    GstBuffer* buffer = harness_->frame(number);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    for (std::size_t i = 0; i < map.size; ++i)
      map.data[i] = static_cast<guint8>((i * i / 7 + i * 13) % 251);
    gst_buffer_unmap(buffer, &map);
    return buffer;
  }
  FrameRecordPtr pass(int number) {
    EXPECT_EQ(harness_->push(frame(number)), GST_FLOW_OK);
    return take(*harness_);
  }

  StubServer server_;
  std::unique_ptr<Harness> harness_;
};

TEST_F(OffloadChanges, MaxInFlightLetsMoreFramesIn) {
  server_.hold();
  use("deadline=-1");
  auto first = std::async(std::launch::async, [&] { return harness_->push(frame(0)); });
  server_.awaitRequests(1);
  EXPECT_EQ(first.wait_for(30ms), std::future_status::timeout);
  set("max-in-flight", 3);
  EXPECT_EQ(first.get(), GST_FLOW_OK);
  EXPECT_EQ(harness_->push(frame(1)), GST_FLOW_OK);
  server_.awaitRequests(2);
  server_.release();
}

TEST_F(OffloadChanges, LeakyLetsThemPass) {
  server_.hold();
  use("deadline=-1");
  auto first = std::async(std::launch::async, [&] { return harness_->push(frame(0)); });
  server_.awaitRequests(1);
  set("leaky", TRUE);
  EXPECT_EQ(first.get(), GST_FLOW_OK);
  EXPECT_EQ(harness_->push(frame(1)), GST_FLOW_OK);
  set("leaky", FALSE);
  auto third = std::async(std::launch::async, [&] { return harness_->push(frame(2)); });
  EXPECT_EQ(third.wait_for(30ms), std::future_status::timeout);
  server_.release();
  EXPECT_EQ(third.get(), GST_FLOW_OK);
  EXPECT_TRUE(take(*harness_)->inferred);
  EXPECT_TRUE(take(*harness_)->skipped);
  EXPECT_TRUE(take(*harness_)->inferred);
}

TEST_F(OffloadChanges, TheDeadlineHoldsForTheNextFrame) {
  use("deadline=-1");
  EXPECT_TRUE(pass(0)->inferred);
  server_.hold();
  set("deadline", 60);
  EXPECT_EQ(pass(1)->answers.at(0).state, AnswerState::Late);
}

TEST_F(OffloadChanges, TheEncodingHoldsForTheNextFrame) {
  use("encoding=raw");
  EXPECT_EQ(pass(0)->bytesSent(), std::size_t{640} * 480 * 3);
  gst_util_set_object_arg(G_OBJECT(harness_->element()), "encoding", "jpeg");
  EXPECT_LT(pass(1)->bytesSent(), std::size_t{640} * 480 * 3);
  gst_util_set_object_arg(G_OBJECT(harness_->element()), "encoding", "raw");
  EXPECT_EQ(pass(2)->bytesSent(), std::size_t{640} * 480 * 3);
}

TEST_F(OffloadChanges, TheQualityHoldsForTheNextFrame) {
  use("encoding=jpeg jpeg-quality=90");
  const std::size_t good = pass(0)->bytesSent();
  set("jpeg-quality", 20);
  EXPECT_LT(pass(1)->bytesSent(), good / 2);
}

TEST_F(OffloadChanges, TheBandwidthHoldsFromThenOn) {
  use("encoding=jpeg");
  EXPECT_FALSE(pass(0)->skipped);
  set("bandwidth", 1);
  int number = 1;
  while (!pass(number)->skipped) ASSERT_LT(++number, 10);
  set("bandwidth", 0);
  EXPECT_FALSE(pass(10)->skipped);
}

TEST_F(OffloadChanges, WithoutQosFramesThatAreLateForTheSinkAreSent) {
  use("qos=true");
  gst_harness_push_upstream_event(
      harness_->get(), gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2, 50 * GST_MSECOND, 0));
  EXPECT_TRUE(pass(1)->skipped);
  set("qos", FALSE);
  EXPECT_FALSE(pass(2)->skipped);
  set("qos", TRUE);
  EXPECT_TRUE(pass(3)->skipped);
}

TEST(Offload, ServersAreProbedBeforeTheFirstFrame) {
  StubServer server;
  Harness harness(element(server.url()));
  const CapacityPtr capacity = Upstream(harness).capacity();
  EXPECT_EQ(capacity->servers.at(0).answers, 4U);
  EXPECT_NE(capacity->servers.at(0).cost, CostModel());
  const OffloadStatsOf stats(harness.element());
  EXPECT_EQ(stats.count("parts-sent"), 0U);
  EXPECT_EQ(stats.count("bytes-sent"), 0U);
}

TEST(Offload, AServerThatFailsItsProbeGetsItsParts) {
  StubServer server([](const wire::InferRequest& request) {
    if (StubServer::isProbe(request)) return StubServer::Reply{500, {}, ""};
    return StubServer::good(request);
  });
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Answered);
  EXPECT_EQ(OffloadStatsOf(harness.element()).answers(0), 1U);
}

TEST(Offload, ShowsItsServers) {
  StubServer server;
  Harness harness(element(server.url() + "," + kNobody, "max-in-flight=2"));
  harness.setVideo(64, 48);
  const Upstream upstream(harness);
  server.hold();
  ASSERT_EQ(harness.push(upstream.frameFor(0)), GST_FLOW_OK);
  server.awaitRequests(1);
  {
    const OffloadStatsOf stats(harness.element());
    ASSERT_EQ(stats.servers(), 2U);
    EXPECT_EQ(stats.url(0), server.url());
    EXPECT_EQ(stats.url(1), kNobody);
    EXPECT_TRUE(stats.healthy(0));
    EXPECT_FALSE(stats.healthy(1));
    EXPECT_EQ(stats.answers(0), 4U);
    EXPECT_EQ(stats.answers(1), 0U);
    EXPECT_GT(stats.cost(0, "outstanding-ms"), 0);
    EXPECT_EQ(stats.cost(1, "outstanding-ms"), 0);
    // A guess, of which the docs tell.
    EXPECT_DOUBLE_EQ(stats.cost(1, "fixed-ms"), 5);
    EXPECT_DOUBLE_EQ(stats.cost(1, "ms-per-megapixel"), 200);
    EXPECT_DOUBLE_EQ(stats.cost(1, "ms-per-megabyte"), 0);
  }
  server.release();
  EXPECT_NE(take(harness), nullptr);
  const OffloadStatsOf stats(harness.element());
  EXPECT_EQ(stats.answers(0), 5U);
  EXPECT_EQ(stats.cost(0, "outstanding-ms"), 0);
}

TEST(Offload, ShowsTheServersOfTheLastRunToo) {
  StubServer server;
  Harness harness(element(server.url()));
  Upstream(harness).capacity();
  gst_element_set_state(harness.element(), GST_STATE_NULL);
  EXPECT_EQ(OffloadStatsOf(harness.element()).answers(0), 4U);
}

/** A pipeline of elfoffloads alone, for what happens at the start. */
class OffloadContext : public ::testing::Test {
 public:
  void give(GstElement* element) {
    GstContext* context = newServersContext(given_);
    gst_element_set_context(element, context);
    gst_context_unref(context);
  }

 protected:
  void make(const std::string& launch) { pipeline_ = gst_parse_launch(launch.c_str(), nullptr); }
  ~OffloadContext() override {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(pipeline_);
  }

  GstElement* named(const char* name) const {
    GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline_), name);
    gst_object_unref(element);  // the pipeline holds it
    return element;
  }
  void start() { gst_element_set_state(pipeline_, GST_STATE_PAUSED); }
  static ServerPoolPtr poolOf(GstElement* element) {
    GstContext* context = gst_element_get_context(element, kServersContext);
    if (!context) return nullptr;
    ServerPoolPtr pool = parseServersContext(context);
    EXPECT_TRUE(gst_context_is_persistent(context));
    gst_context_unref(context);
    return pool;
  }

  const ServerPoolPtr given_ = std::make_shared<ServerPool>();
  const std::string launch_ = element(kNobody);
  GstElement* pipeline_ = nullptr;
};

TEST_F(OffloadContext, APoolThatAnElementMakesIsThePipelinesAndSoThatOfTheOthers) {
  make(launch_ + " name=one " + launch_ + " name=other");
  start();
  EXPECT_NE(poolOf(pipeline_), nullptr);
  EXPECT_EQ(poolOf(named("one")), poolOf(pipeline_));
  EXPECT_EQ(poolOf(named("other")), poolOf(pipeline_));
}

TEST_F(OffloadContext, PrintedItTellsTheServers) {
  make(
      "elfoffload servers=http://127.0.0.1:1,http://127.0.0.1:2,http://127.0.0.1:1 name=one "
      "identity");
  start();
  GstContext* context = gst_element_get_context(named("one"), kServersContext);
  gchar* text = gst_structure_to_string(gst_context_get_structure(context));
  EXPECT_NE(std::string(text).find("\"http://127.0.0.1:1\\,http://127.0.0.1:2\""),
            std::string::npos)
      << text;
  g_free(text);
  gst_context_unref(context);
}

TEST_F(OffloadContext, APoolThatThePipelineIsGivenIsUsed) {
  make(launch_ + " name=one identity");
  give(pipeline_);
  start();
  EXPECT_EQ(poolOf(named("one")), given_);
}

TEST_F(OffloadContext, APoolOfAnElementUpstreamOrDownstreamIsFound) {
  make(launch_ + " name=upper ! " + launch_ + " name=middle ! " + launch_ + " name=lower");
  give(named("middle"));
  start();
  EXPECT_EQ(poolOf(named("upper")), given_);
  EXPECT_EQ(poolOf(named("lower")), given_);
}

TEST_F(OffloadContext, TheApplicationIsAskedForAPool) {
  make(launch_ + " name=one identity");
  GstBus* bus = gst_element_get_bus(pipeline_);
  gst_bus_set_sync_handler(
      bus,
      [](GstBus*, GstMessage* message, gpointer self) {
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_NEED_CONTEXT)
          static_cast<OffloadContext*>(self)->give(GST_ELEMENT(GST_MESSAGE_SRC(message)));
        return GST_BUS_PASS;
      },
      this, nullptr);
  start();
  EXPECT_EQ(poolOf(named("one")), given_);
  gst_bus_set_sync_handler(bus, nullptr, nullptr, nullptr);
  gst_object_unref(bus);
}

TEST(Offload, LearnsForThePoolThatItIsGiven) {
  StubServer server;
  Harness harness(element(server.url()));
  GstContext* context = gst_element_get_context(harness.element(), kServersContext);
  const ServerPoolPtr pool = parseServersContext(context);
  gst_context_unref(context);
  Upstream(harness).capacity();
  EXPECT_EQ(pool->server(server.url(), "hog", 0)->state().answers, 4U);
}

TEST(Offload, AStreamTakesTheServerThatAnotherLeavesFree) {
  StubServer a, b;
  const std::string launch = element(a.url() + "," + b.url(), "max-in-flight=2 hedging=0");
  Harness one(launch), other(launch);
  gst_element_set_state(other.element(), GST_STATE_NULL);
  GstContext* context = gst_element_get_context(one.element(), kServersContext);
  gst_element_set_context(other.element(), context);
  gst_context_unref(context);
  gst_element_set_state(other.element(), GST_STATE_PLAYING);
  for (Harness* harness : {&one, &other}) harness->setVideo(64, 48);
  const Upstream upstream(one), otherUpstream(other);
  for (const int busy : {0, 1}) {
    StubServer& taken = busy == 0 ? a : b;
    StubServer& free = busy == 0 ? b : a;
    taken.hold();
    const int before = taken.requests();
    // So many that the other server is free sooner, whatever the two were found to cost.
    ASSERT_EQ(one.push(upstream.frameFor(busy, 8)), GST_FLOW_OK);
    taken.awaitRequests(before + 1);
    const CapacityPtr capacity = otherUpstream.capacity();
    EXPECT_GT(capacity->servers.at(static_cast<std::size_t>(busy)).busy, 0);
    const int served = free.requests();
    ASSERT_EQ(other.push(other.frame(busy)), GST_FLOW_OK);
    EXPECT_EQ(take(other)->answers.at(0).state, AnswerState::Answered);
    EXPECT_EQ(free.requests(), served + 1);
    taken.release();
    take(one);
  }
}

}  // namespace
}  // namespace elf::gst
