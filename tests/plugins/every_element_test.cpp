// SPDX-License-Identifier: LGPL-2.1-or-later
// What holds for each of the four elements alone.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/harness.h"
#include "tests/support/log.h"
#include "tests/support/own_stream.h"
#include "tests/support/stub_server.h"

namespace elf::gst {
namespace {

using elf::testing::BusOf;
using elf::testing::Harness;
using elf::testing::LogOf;
using elf::testing::OwnStream;
using elf::testing::StubServer;

class EveryElement : public ::testing::TestWithParam<const char*> {
 protected:
  std::string launch() const {
    const std::string name = GetParam();
    return name == "elfoffload" ? name + " servers=" + server_.url() : name;
  }
  StubServer server_;
};

INSTANTIATE_TEST_SUITE_P(Elf, EveryElement,
                         ::testing::Values("elfrppredict", "elfpartition", "elfoffload",
                                           "elfmerge"),
                         [](const auto& element) { return std::string(element.param); });

TEST_P(EveryElement, IgnoresARecordOfAnotherSizeAndWarnsOnce) {
  Harness harness(launch());
  BusOf bus(harness.element());
  harness.setVideo(64, 48);
  for (int i = 0; i < 3; ++i) {
    FrameRecord foreign;
    foreign.id = 1000;
    foreign.size = {32, 24};
    GstBuffer* buffer = harness.frame(i);
    setRecord(buffer, std::make_shared<const FrameRecord>(foreign));
    ASSERT_EQ(harness.push(buffer), GST_FLOW_OK);
    GstBuffer* out = harness.pull();
    const FrameRecordPtr record = getRecord(out);
    // elfmerge makes no record of its own, and lets the foreign one pass.
    if (GetParam() != std::string("elfmerge")) {
      EXPECT_EQ(record->size, (Size{64, 48}));
      EXPECT_EQ(record->id, static_cast<std::uint64_t>(i));
    }
    gst_buffer_unref(out);
  }
  EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 1);
}

TEST_P(EveryElement, CountsAFrameAndNamesItInTheLogByItsTrace) {
  LogOf log(GetParam());
  std::string name;
  {
    Harness harness(launch());
    harness.setVideo(64, 48);
    const OwnStream upstream(harness, {64, 48});
    const FrameRecord record = upstream.enter();
    ASSERT_EQ(harness.push(upstream.carry(0, record)), GST_FLOW_OK);
    GstBuffer* out = harness.pull();
    name = getRecord(out)->name();
    // elfrppredict begins a stream of its own.
    if (GetParam() != std::string("elfrppredict")) {
      EXPECT_EQ(name, record.name());
    }
    gst_buffer_unref(out);
    GstStructure* stats = nullptr;
    g_object_get(harness.element(), "stats", &stats, nullptr);
    guint64 frames = 0;
    EXPECT_TRUE(gst_structure_get_uint64(stats, "frames", &frames));
    EXPECT_EQ(frames, 1U);
    gst_structure_free(stats);
  }
  EXPECT_FALSE(log.with(name + ": ").empty());
}

TEST_P(EveryElement, StatsBeginAnewWithTheElement) {
  Harness harness(launch());
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  gst_buffer_unref(harness.pull());
  gst_element_set_state(harness.element(), GST_STATE_READY);
  gst_element_set_state(harness.element(), GST_STATE_PLAYING);
  GstStructure* stats = nullptr;
  g_object_get(harness.element(), "stats", &stats, nullptr);
  for (int i = 0; i < gst_structure_n_fields(stats); ++i) {
    const char* name = gst_structure_nth_field_name(stats, static_cast<guint>(i));
    guint64 count = 0;
    if (gst_structure_get_uint64(stats, name, &count)) {
      EXPECT_EQ(count, 0U) << name;
    }
  }
  gst_structure_free(stats);
}

TEST_P(EveryElement, EosBeforeAnyFramePasses) {
  Harness harness(launch());
  gst_harness_push_event(harness.get(), gst_event_new_eos());
  GstEventType type = GST_EVENT_UNKNOWN;
  while (type != GST_EVENT_EOS) {
    GstEvent* event = gst_harness_pull_event(harness.get());
    ASSERT_NE(event, nullptr) << "no EOS came";
    type = GST_EVENT_TYPE(event);
    gst_event_unref(event);
  }
}

TEST_P(EveryElement, EventsOfANewStreamComeInTheirOrder) {
  Harness harness(launch());
  harness.setVideo(64, 48);
  ASSERT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  gst_buffer_unref(harness.pull());
  gst_harness_push_event(harness.get(), gst_event_new_stream_start("another"));
  harness.setVideo(32, 24);  // caps and a segment
  gst_harness_push_event(harness.get(), gst_event_new_gap(0, GST_SECOND));
  ASSERT_EQ(harness.push(harness.frame(1)), GST_FLOW_OK);
  gst_buffer_unref(harness.pull());
  std::vector<GstEventType> types;
  while (GstEvent* event = gst_harness_try_pull_event(harness.get())) {
    types.push_back(GST_EVENT_TYPE(event));
    gst_event_unref(event);
  }
  const std::vector<GstEventType> expected{GST_EVENT_STREAM_START, GST_EVENT_CAPS,
                                           GST_EVENT_SEGMENT};
  ASSERT_EQ(types.size(), 7U);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), types.begin()));
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), types.begin() + 3));
  EXPECT_EQ(types.back(), GST_EVENT_GAP);
}

TEST_P(EveryElement, ManyThreadsMayChangeTheState) {
  GstElement* element = gst_parse_launch(launch().c_str(), nullptr);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([element, t] {
      for (int i = 0; i < 10; ++i)
        gst_element_set_state(element, (i + t) % 2 ? GST_STATE_PLAYING : GST_STATE_NULL);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  gst_object_unref(element);
}

TEST_P(EveryElement, RefusesVideoThatIsNotInSystemMemory) {
  Harness harness(launch());
  GstCaps* caps = gst_caps_from_string("video/x-raw(memory:DMABuf),format=I420,width=64,height=48");
  GstPad* sink = gst_element_get_static_pad(harness.element(), "sink");
  EXPECT_FALSE(gst_pad_query_accept_caps(sink, caps));
  gst_object_unref(sink);
  gst_caps_unref(caps);
}

TEST(ElementProperties, AnImpossibleValueIsOneErrorThatNamesThePropertyAndTheElement) {
  struct Wrong {
    const char* element;
    const char* property;
  };
  for (const Wrong& wrong :
       {Wrong{"elfrppredict", "predictor"}, Wrong{"elfrppredict", "history"},
        Wrong{"elfpartition", "partitioner"}, Wrong{"elfpartition", "scan-interval"},
        Wrong{"elfoffload", "deadline"}, Wrong{"elfoffload", "max-in-flight"},
        Wrong{"elfmerge", "draw-boxes"}}) {
    GError* error = nullptr;
    const std::string line = std::string(wrong.element) + " " + wrong.property + "=nonsense";
    GstElement* element =
        gst_parse_launch_full(line.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    EXPECT_EQ(element, nullptr) << line;
    ASSERT_NE(error, nullptr) << line;
    const std::string text = error->message;
    EXPECT_NE(text.find(wrong.element), std::string::npos) << text;
    EXPECT_NE(text.find(wrong.property), std::string::npos) << text;
    g_error_free(error);
  }
}

}  // namespace
}  // namespace elf::gst
