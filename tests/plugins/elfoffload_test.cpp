// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/harness.h"
#include "tests/support/stub_server.h"

namespace elf::gst {
namespace {

using elf::testing::BusOf;
using elf::testing::Harness;
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
    if (type == wire::DataType::Uint8)
      EXPECT_EQ(image.shape, (std::vector<std::int64_t>{1, 48, 64, 3}));
  }
}

TEST(Offload, AnEmptyPlanPassesWithoutARequest) {
  StubServer server;
  Harness harness(element(server.url()));
  harness.setVideo(64, 48);
  FrameRecord record;
  record.size = {64, 48};
  record.plan.emplace();
  GstBuffer* buffer = harness.frame(0);
  setRecord(buffer, std::make_shared<const FrameRecord>(record));
  ASSERT_EQ(harness.push(buffer), GST_FLOW_OK);
  EXPECT_TRUE(take(harness)->answers.empty());
  EXPECT_EQ(server.requests(), 0);
}

TEST(Offload, FramesKeepTheirOrderAndTheirOwnAnswers) {
  StubServer slow, quick;
  slow.hold();
  Harness harness(element(slow.url() + "," + quick.url(), "max-in-flight=3"));
  harness.setVideo(64, 48);
  // Frame 0 is held by the first server; frame 1 is answered before it by the other.
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  ASSERT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
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
    EXPECT_EQ(harness.push(harness.frame(0)), flow) << gst_flow_get_name(flow);
    EXPECT_EQ(harness.push(harness.frame(1)), flow) << gst_flow_get_name(flow);
  }
}

TEST(Offload, EosGetsPastFramesThatDownstreamNoLongerWants) {
  StubServer quick, held;
  held.hold();
  Harness harness(element(quick.url() + "," + held.url(), "max-in-flight=3 deadline=-1"));
  harness.setVideo(64, 48);
  answerWith(harness, GST_FLOW_EOS);
  // One frame is answered, and refused by downstream; others may still wait for answers.
  GstFlowReturn flow = GST_FLOW_OK;
  for (int i = 0; i < 4 && flow == GST_FLOW_OK; ++i) flow = harness.push(harness.frame(i));
  EXPECT_EQ(flow, GST_FLOW_EOS);
  gst_harness_push_event(harness.get(), gst_event_new_eos());
  awaitEvent(harness, GST_EVENT_EOS);
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
  GstFlowReturn flow = GST_FLOW_OK;
  for (int i = 0; i < 4 && flow == GST_FLOW_OK; ++i) flow = harness.push(harness.frame(i));
  ASSERT_EQ(flow, GST_FLOW_EOS);
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
  EXPECT_EQ(harness.push(harness.frame(0)), GST_FLOW_NOT_LINKED);
  // Linking sends RECONFIGURE upstream.
  ASSERT_EQ(gst_pad_link(src, harness.get()->sinkpad), GST_PAD_LINK_OK);
  gst_object_unref(src);
  EXPECT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
  EXPECT_NE(take(harness), nullptr);
}

TEST(Offload, EachDuplicateOfAFrameTakesASlot) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=-1 max-in-flight=2"));
  harness.setVideo(64, 48);
  const auto duplicate = [&] {
    FrameRecord record;
    record.id = 7;
    record.size = {64, 48};
    GstBuffer* buffer = harness.frame(0);
    setRecord(buffer, std::make_shared<const FrameRecord>(record));
    return buffer;
  };
  ASSERT_EQ(harness.push(duplicate()), GST_FLOW_OK);
  auto second = std::async(std::launch::async, [&] { return harness.push(duplicate()); });
  server.awaitRequests(2);
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  Feedback feedback;
  feedback.id = 7;
  gst_harness_push_upstream_event(harness.get(),
                                  newDetectionsEvent(std::make_shared<const Feedback>(feedback)));
  EXPECT_EQ(second.get(), GST_FLOW_OK);
  server.release();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(take(harness)->id, 7U);
}

TEST(Offload, WhatIsNotAnsweredByTheDeadlineIsLate) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=100"));
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  EXPECT_EQ(take(harness)->answers.at(0).state, AnswerState::Late);
}

TEST(Offload, FeedbackFreesTheSlotOfItsFrame) {
  StubServer server;
  server.hold();
  Harness harness(element(server.url(), "deadline=-1"));
  harness.setVideo(64, 48);
  std::thread pusher([&] { EXPECT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK); });
  server.awaitRequests(1);
  Feedback feedback;
  feedback.id = 0;
  // The generation of a first frame: one start, one size.
  for (std::uint32_t generation = 0; generation < 4; ++generation) {
    feedback.generation = generation;
    gst_harness_push_upstream_event(harness.get(),
                                    newDetectionsEvent(std::make_shared<const Feedback>(feedback)));
  }
  pusher.join();
  EXPECT_EQ(gst_harness_buffers_received(harness.get()), 0U);
  server.release();
  EXPECT_EQ(take(harness)->id, 0U);
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
  EXPECT_NE(text.find(server.url()), std::string::npos);
  EXPECT_NE(text.find("nosuch"), std::string::npos);
}

TEST(Offload, BadServersAreAnErrorThatNamesTheProperty) {
  for (const char* servers : {"\"\"", "ftp://x"}) {
    GstElement* offload = gst_parse_launch(element(servers).c_str(), nullptr);
    BusOf bus(offload);
    EXPECT_EQ(gst_element_set_state(offload, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_EQ(bus.text(GST_MESSAGE_ERROR).rfind("servers: ", 0), 0U);
    gst_element_set_bus(offload, nullptr);
    gst_element_set_state(offload, GST_STATE_NULL);
    gst_object_unref(offload);
  }
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
  gst_harness_set_upstream_latency(harness.get(), 20 * GST_MSECOND);
  EXPECT_EQ(gst_harness_query_latency(harness.get()), 320 * GST_MSECOND);
}

TEST(Offload, LeavesTheLatencyOfAFileAlone) {
  StubServer server;
  Harness harness(element(server.url(), "deadline=-1"));
  harness.setVideo(64, 48);
  GstQuery* query = gst_query_new_latency();
  // A source that is not live.
  gst_pad_add_probe(
      harness.get()->srcpad, GST_PAD_PROBE_TYPE_QUERY_UPSTREAM,
      [](GstPad*, GstPadProbeInfo* info, gpointer) {
        GstQuery* asked = GST_PAD_PROBE_INFO_QUERY(info);
        if (GST_QUERY_TYPE(asked) != GST_QUERY_LATENCY) return GST_PAD_PROBE_OK;
        gst_query_set_latency(asked, FALSE, 3, 5);
        return GST_PAD_PROBE_HANDLED;
      },
      nullptr, nullptr);
  ASSERT_TRUE(gst_pad_peer_query(harness.get()->sinkpad, query));
  gboolean live = TRUE;
  GstClockTime least = 0, most = 0;
  gst_query_parse_latency(query, &live, &least, &most);
  EXPECT_FALSE(live);
  EXPECT_EQ(least, 3U);
  EXPECT_EQ(most, 5U);
  gst_query_unref(query);
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
  Harness harness(element(server.url() + "," + server.url()));
  const CapacityPtr capacity = queryCapacity(harness.get()->srcpad);
  ASSERT_NE(capacity, nullptr);
  EXPECT_EQ(capacity->servers.size(), 2U);
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
  GstStructure* stats = nullptr;
  g_object_get(harness.element(), "stats", &stats, nullptr);
  guint64 skipped = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats, "skipped", &skipped));
  EXPECT_EQ(skipped, 1U);
  gst_structure_free(stats);
}

}  // namespace
}  // namespace elf::gst
