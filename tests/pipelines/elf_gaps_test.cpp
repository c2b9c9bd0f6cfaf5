// SPDX-License-Identifier: LGPL-2.1-or-later
// What may happen to a stream, with a queue in none, in each and in all of the gaps between the
// elements.
#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/bus.h"
#include "tests/support/elf_pipeline.h"
#include "tests/support/stats.h"

namespace elf::gst {
namespace {

using elf::testing::ElfPipeline;
using elf::testing::Gate;
using elf::testing::kBall;
using elf::testing::kFrames;
using elf::testing::kSink;
using elf::testing::OffloadStatsOf;
using elf::testing::Pipeline;

const std::string kEndlessBall =
    "videotestsrc name=src pattern=ball ! "
    "video/x-raw,format=I420,width=320,height=240,framerate=30/1";

/** Calls `probe` for each buffer that leaves the element, with its number and the pad. */
class EachBuffer {
 public:
  using Probe = std::function<void(int, GstPad*)>;

  EachBuffer(const Pipeline& pipeline, const char* element, Probe probe)
      : probe_(std::move(probe)) {
    GstElement* found = pipeline.element(element);
    pad_ = gst_element_get_static_pad(found, "src");
    gst_object_unref(found);
    id_ = gst_pad_add_probe(
        pad_, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad* pad, GstPadProbeInfo*, gpointer data) {
          auto* self = static_cast<EachBuffer*>(data);
          self->probe_(self->count_++, pad);
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
  }
  EachBuffer(const EachBuffer&) = delete;
  EachBuffer& operator=(const EachBuffer&) = delete;
  ~EachBuffer() {
    gst_pad_remove_probe(pad_, id_);
    gst_object_unref(pad_);
  }
  int count() const { return count_; }

 private:
  const Probe probe_;
  GstPad* pad_ = nullptr;
  gulong id_ = 0;
  std::atomic<int> count_ = 0;
};

/** Messages of that type which are there. */
int countMessages(const Pipeline& pipeline, GstMessageType type) {
  GstBus* bus = gst_element_get_bus(pipeline.get());
  int count = 0;
  while (GstMessage* message = gst_bus_pop_filtered(bus, type)) {
    ++count;
    gst_message_unref(message);
  }
  gst_object_unref(bus);
  return count;
}

int notInferred(const std::vector<FrameRecord>& records, std::size_t from = 0) {
  return static_cast<int>(std::count_if(records.begin() + static_cast<std::ptrdiff_t>(from),
                                        records.end(),
                                        [](const FrameRecord& r) { return !r.inferred; }));
}

void expectInARow(const std::vector<FrameRecord>& records) {
  for (std::size_t i = 1; i < records.size(); ++i) EXPECT_EQ(records[i].id, records[i - 1].id + 1);
}

struct Gaps {
  int queues;  ///< one bit for each gap
  int inFlight;
};

class ElfGaps : public ElfPipeline, public ::testing::WithParamInterface<Gaps> {
 protected:
  static std::string gap(int index) {
    return GetParam().queues & (1 << index) ? " ! queue ! " : " ! ";
  }
  /** The four elements, from the gap before the first to the one behind the last. */
  std::string elements(const std::string& properties = "") const {
    return gap(0) + "elfrppredict" + gap(1) + "elfpartition" + gap(2) +
           offload("max-in-flight=" + std::to_string(GetParam().inFlight) + " " + properties) +
           gap(3) + "elfmerge" + gap(4);
  }
  static void expectShortHorizons(const std::vector<FrameRecord>& records) {
    for (const FrameRecord& record : records)
      EXPECT_LE(record.horizon, GetParam().inFlight) << "frame " << record.id;
  }
};

std::vector<Gaps> everyGap() {
  std::vector<Gaps> all;
  for (const int inFlight : {1, 3})
    for (const int queues : {0, 1, 2, 4, 8, 16, 31}) all.push_back({queues, inFlight});
  return all;
}

INSTANTIATE_TEST_SUITE_P(EveryGap, ElfGaps, ::testing::ValuesIn(everyGap()), [](const auto& gaps) {
  return "queues" + std::to_string(gaps.param.queues) + "inflight" +
         std::to_string(gaps.param.inFlight);
});

TEST_P(ElfGaps, APauseLongerThanTheDeadlineLosesNothing) {
  // A busy machine may make one frame late: the best of three counts.
  int missed = 1;
  for (int i = 0; i < 3 && missed > 0; ++i) {
    Pipeline pipeline(kBall + elements("deadline=100") + kSink);
    pipeline.play();
    std::vector<FrameRecord> records;
    for (int frame = 0; frame < 5; ++frame) {
      auto record = pipeline.next();
      ASSERT_TRUE(record);
      records.push_back(std::move(*record));
    }
    gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    pipeline.play();
    while (auto record = pipeline.next()) records.push_back(std::move(*record));
    ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
    expectInARow(records);
    missed = notInferred(records);
    if (missed == 0) expectShortHorizons(records);
    EXPECT_EQ(countMessages(pipeline, GST_MESSAGE_WARNING), 0);
  }
  EXPECT_EQ(missed, 0);
}

TEST_P(ElfGaps, AFlushingSeekBeginsAnewAtOnce) {
  Pipeline pipeline(kEndlessBall + elements() + kSink);
  pipeline.play();
  for (int seek = 1; seek <= 3; ++seek) {
    const auto before = pipeline.next();
    ASSERT_TRUE(before);
    ASSERT_TRUE(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                        static_cast<gint64>(seek) * 100 * GST_SECOND));
    std::vector<FrameRecord> after;
    while (after.size() < 8) {
      auto record = pipeline.next();
      ASSERT_TRUE(record);
      if (pipeline.pts() < static_cast<GstClockTime>(seek) * 100 * GST_SECOND) continue;
      after.push_back(std::move(*record));
    }
    EXPECT_EQ(after[0].generation, before->generation + 1);
    EXPECT_FALSE(after[0].rps.has_value()) << "a cold start";
    EXPECT_TRUE(after[7].rps.has_value());
    expectInARow(after);
    expectShortHorizons(after);
    EXPECT_EQ(notInferred(after), 0);
    for (const FrameRecord& record : after) EXPECT_EQ(record.detections.size(), 1U);
  }
  EXPECT_EQ(countMessages(pipeline, GST_MESSAGE_WARNING), 0);
}

TEST_P(ElfGaps, AFlushingSeekEndsTheWaitForAServerThatSaysNothing) {
  Gate gate;
  const auto held = elf::testing::startBlobServer(&gate);
  {
    Pipeline pipeline(kEndlessBall + gap(0) + "elfrppredict" + gap(1) + "elfpartition" + gap(2) +
                      "elfoffload model=blob deadline=-1 hedging=0 servers=" + held->url() +
                      " max-in-flight=" + std::to_string(GetParam().inFlight) + gap(3) +
                      "elfmerge" + gap(4) + kSink);
    pipeline.play();
    ASSERT_TRUE(pipeline.next());
    gate.close();
    const int entered = gate.entered();
    gate.awaitEntered(entered + 1);
    ASSERT_TRUE(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                        100 * GST_SECOND));
    gate.open();
    std::optional<FrameRecord> after;
    do after = pipeline.next();
    while (after && pipeline.pts() < 100 * GST_SECOND);
    ASSERT_TRUE(after);
    EXPECT_TRUE(after->inferred);
    gate.close();
    // Nor does stopping wait for it.
    const int now = gate.entered();
    std::atomic<bool> pulling = true;
    std::thread puller([&] {
      while (pulling && pipeline.next()) {
      }
    });
    gate.awaitEntered(now + 1);
    pulling = false;
    pipeline.stop();
    puller.join();
    gate.open();
  }
}

TEST_P(ElfGaps, EosComesBehindTheFramesThatWaitForAnswers) {
  Gate gate;
  const auto held = elf::testing::startBlobServer(&gate);
  Pipeline pipeline(
      "videotestsrc pattern=ball num-buffers=6 ! "
      "video/x-raw,format=I420,width=320,height=240,framerate=30/1" +
      gap(0) + "elfrppredict" + gap(1) + "elfpartition" + gap(2) +
      "elfoffload model=blob deadline=-1 hedging=0 servers=" + held->url() + " max-in-flight=" +
      std::to_string(GetParam().inFlight) + gap(3) + "elfmerge" + gap(4) + kSink);
  pipeline.play();
  std::vector<FrameRecord> records;
  for (int i = 0; i < 2; ++i) {
    auto record = pipeline.next();
    ASSERT_TRUE(record);
    records.push_back(std::move(*record));
  }
  gate.close();
  // One part for each frame, and as many again for a part that is cut in two.
  for (int i = 0; i < 8; ++i) gate.letOnePass();
  while (auto record = pipeline.next()) records.push_back(std::move(*record));
  gate.open();
  ASSERT_EQ(records.size(), 6U);
  expectInARow(records);
  EXPECT_EQ(notInferred(records), 0);
}

TEST_P(ElfGaps, AChangeOfSizeAndThenOfFormatLosesNothing) {
  const auto part = [](const char* caps) {
    return "videotestsrc pattern=ball num-buffers=8 ! video/x-raw,framerate=30/1," +
           std::string(caps) + " ! c. ";
  };
  Pipeline pipeline(
      "concat name=c" + elements() + kSink + " " + part("format=I420,width=320,height=240") +
      part("format=I420,width=640,height=480") + part("format=BGR,width=640,height=480"));
  pipeline.play();
  std::vector<FrameRecord> records;
  while (auto record = pipeline.next()) {
    EXPECT_EQ(pipeline.size(), record->size);
    records.push_back(std::move(*record));
  }
  ASSERT_EQ(records.size(), 24U);
  expectInARow(records);
  expectShortHorizons(records);
  EXPECT_EQ(notInferred(records), 0);
  EXPECT_GT(records[8].generation, records[7].generation) << "another size";
  EXPECT_FALSE(records[8].rps.has_value());
  EXPECT_EQ(records[16].generation, records[15].generation) << "another format only";
  EXPECT_TRUE(records[16].rps.has_value());
  EXPECT_EQ(countMessages(pipeline, GST_MESSAGE_WARNING), 0);
}

TEST_P(ElfGaps, AGapBeginsAnewAndLosesNothing) {
  Pipeline pipeline(
      "videotestsrc name=src pattern=ball num-buffers=40 ! "
      "video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! identity name=before" +
      elements() + kSink);
  EachBuffer gaps(pipeline, "before", [](int number, GstPad* pad) {
    if (number == 15) gst_pad_push_event(pad, gst_event_new_gap(GST_SECOND / 2, GST_SECOND / 30));
  });
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  expectInARow(records);
  expectShortHorizons(records);
  EXPECT_EQ(notInferred(records), 0);
  EXPECT_EQ(records[15].generation, records[14].generation + 1);
  EXPECT_FALSE(records[15].rps.has_value()) << "a cold start";
  EXPECT_EQ(records[39].generation, records[15].generation);
  EXPECT_TRUE(records[39].rps.has_value());
  EXPECT_EQ(countMessages(pipeline, GST_MESSAGE_WARNING), 0);
}

// --- the first frames

class ElfColdStart : public ElfPipeline, public ::testing::WithParamInterface<int> {};

INSTANTIATE_TEST_SUITE_P(InFlight, ElfColdStart, ::testing::Values(1, 3));

TEST_P(ElfColdStart, SendsNoMoreWholeFramesThanMayBeInFlightBeforeTheFirstAnswer) {
  Gate gate;
  const auto held = elf::testing::startBlobServer(&gate);
  Pipeline pipeline(
      kBall + " ! identity name=before ! elfrppredict ! queue ! elfpartition ! " +
      "elfoffload name=offload model=blob deadline=-1 hedging=0 servers=" + held->url() +
      " max-in-flight=" + std::to_string(GetParam()) + " ! elfmerge ! " + kSink);
  GstElement* offload = pipeline.element("offload");
  std::promise<int> probed;
  EachBuffer first(pipeline, "before", [&](int number, GstPad*) {
    if (number > 0) return;
    while (OffloadStatsOf(offload).servers() == 0 || OffloadStatsOf(offload).answers(0) < 3)
      std::this_thread::yield();
    gate.close();
    probed.set_value(gate.entered());
  });
  pipeline.play();
  gate.awaitEntered(probed.get_future().get() + 1);
  // What is not to happen has some time to happen.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(OffloadStatsOf(offload).count("parts-sent"), static_cast<guint64>(GetParam()));
  gst_object_unref(offload);
  gate.open();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  EXPECT_LE(std::ranges::count_if(records, [](const FrameRecord& r) { return !r.rps; }),
            GetParam());
  EXPECT_EQ(notInferred(records), 0);
}

// --- frames that die on their way

/** The line with `what` in one of the gaps in which frames have a place. */
class ElfDyingFrames : public ElfPipeline, public ::testing::WithParamInterface<int> {
 protected:
  std::string with(const std::string& what) const {
    const auto gap = [&](int index) {
      return GetParam() == index ? " ! " + what + " ! " : std::string(" ! ");
    };
    return kEndlessBall + gap(0) + "elfrppredict" + gap(1) + "elfpartition" + gap(2) +
           offload("deadline=-1 max-in-flight=1") + gap(3) + "elfmerge" + gap(4) + kSink;
  }
  static void expectFrames(Pipeline& pipeline, int count) {
    for (int i = 0; i < count; ++i) {
      const auto record = pipeline.next();
      ASSERT_TRUE(record);
      EXPECT_TRUE(record->inferred);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Gap, ElfDyingFrames, ::testing::Values(0, 1, 2, 3, 4));

TEST_P(ElfDyingFrames, InAValveFreeTheirPlaces) {
  Pipeline pipeline(with("identity name=before ! valve name=valve"));
  GstElement* valve = pipeline.element("valve");
  std::promise<void> dropped;
  std::atomic<int> closedAt = -1;
  EachBuffer frames(pipeline, "before", [&](int number, GstPad*) {
    if (closedAt >= 0 && number == closedAt + 10) dropped.set_value();
  });
  pipeline.play();
  expectFrames(pipeline, 5);
  g_object_set(valve, "drop", TRUE, nullptr);
  closedAt = frames.count();
  EXPECT_EQ(dropped.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  g_object_set(valve, "drop", FALSE, nullptr);
  gst_object_unref(valve);
  expectFrames(pipeline, 5);
}

TEST_P(ElfDyingFrames, InALeakyQueueFreeTheirPlaces) {
  for (const char* leaky : {"downstream", "upstream"}) {
    SCOPED_TRACE(leaky);
    Pipeline pipeline(with("queue max-size-buffers=1 leaky=" + std::string(leaky)));
    pipeline.play();
    expectFrames(pipeline, 15);
  }
}

TEST_P(ElfDyingFrames, InABranchThatEndsFreeTheirPlaces) {
  Pipeline pipeline(with("tee name=t ! queue") + " t. ! queue ! fakesink sync=false async=false");
  pipeline.play();
  expectFrames(pipeline, 15);
}

TEST_P(ElfDyingFrames, BehindAnAppsinkAndAnAppsrcGoOn) {
  Pipeline pipeline(with("appsink name=from sync=false async=false max-buffers=2 appsrc name=to "
                         "format=time block=true max-buffers=2") +
                    " async=false");
  GstElement* from = pipeline.element("from");
  GstElement* to = pipeline.element("to");
  pipeline.play();
  std::thread bridge([&] {
    while (GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(from))) {
      const GstFlowReturn flow = gst_app_src_push_sample(GST_APP_SRC(to), sample);
      gst_sample_unref(sample);
      if (flow != GST_FLOW_OK) break;
    }
  });
  std::vector<FrameRecord> records;
  for (int i = 0; i < 15; ++i) {
    auto record = pipeline.next();
    if (!record) break;
    records.push_back(std::move(*record));
  }
  EXPECT_EQ(records.size(), 15U);
  expectInARow(records);
  EXPECT_EQ(notInferred(records), 0);
  for (const FrameRecord& record : records) EXPECT_EQ(record.detections.size(), 1U);
  pipeline.stop();
  bridge.join();
  gst_object_unref(from);
  gst_object_unref(to);
}

// --- branches

TEST_F(ElfPipeline, OfTwoElfoffloadsBehindATeeTheSecondWarnsOnceAndBothShowAll) {
  for (const char* queue : {"queue", "queue max-size-buffers=1"}) {
    Pipeline pipeline(kBall + " ! elfrppredict ! elfpartition ! tee name=t ! " + queue + " ! " +
                      offload() + " ! elfmerge ! " + kSink + " t. ! " + queue + " ! " + offload() +
                      " ! elfmerge ! appsink name=other sync=false");
    pipeline.play();
    const auto records = pipeline.all();
    const auto others = pipeline.allOf("other");
    EXPECT_EQ(countMessages(pipeline, GST_MESSAGE_WARNING), 1);
    ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
    ASSERT_EQ(others.size(), static_cast<std::size_t>(kFrames));
    for (const auto* branch : {&records, &others}) {
      expectInARow(*branch);
      EXPECT_EQ(notInferred(*branch), 0);
      for (const FrameRecord& record : *branch) EXPECT_EQ(record.detections.size(), 1U);
    }
  }
}

TEST_F(ElfPipeline, OfTwoElfmergesThatDifferTheSecondWarnsOnce) {
  Pipeline pipeline(kBall + elf().substr(0, elf().rfind("elfmerge")) +
                    "tee name=t ! queue ! elfmerge merge-mode=nms ! " + kSink +
                    " t. ! queue ! elfmerge merge-mode=nmm ! appsink name=other sync=false");
  pipeline.play();
  EXPECT_EQ(pipeline.all().size(), static_cast<std::size_t>(kFrames));
  EXPECT_EQ(pipeline.allOf("other").size(), static_cast<std::size_t>(kFrames));
  EXPECT_EQ(countMessages(pipeline, GST_MESSAGE_WARNING), 1);
}

// --- several streams

TEST_F(ElfPipeline, OneStreamThatIsStoppedAgainAndAgainDisturbsNoOther) {
  const std::string line = kEndlessBall + elf("name=offload deadline=-1 max-in-flight=2") + kSink;
  Pipeline one(line), other(line), stopped(line);
  one.play();
  ASSERT_TRUE(one.next());
  GstContext* context = gst_element_get_context(one.get(), "elf.servers");
  ASSERT_NE(context, nullptr);
  gst_element_set_context(other.get(), context);
  gst_element_set_context(stopped.get(), context);
  gst_context_unref(context);
  other.play();
  for (int round = 0; round < 15; ++round) {
    stopped.play();
    for (int i = 0; i < round % 3; ++i) ASSERT_TRUE(stopped.next());
    for (Pipeline* running : {&one, &other}) {
      const auto record = running->next();
      ASSERT_TRUE(record);
      EXPECT_TRUE(record->inferred);
    }
    if (round % 2 == 0)
      stopped.stop();
    else
      gst_element_seek_simple(stopped.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SECOND);
  }
  for (Pipeline* running : {&one, &other}) {
    for (int i = 0; i < 10; ++i) {
      const auto record = running->next();
      ASSERT_TRUE(record);
      EXPECT_TRUE(record->inferred);
    }
    GstElement* offload = running->element("offload");
    EXPECT_EQ(OffloadStatsOf(offload).count("parts-failed"), 0U);
    gst_object_unref(offload);
  }
}

// --- downstream

/** True if `run` ends in time; else the test cannot go on. */
bool endsSoon(const std::function<void()>& run) {
  auto done = std::async(std::launch::async, run);
  if (done.wait_for(std::chrono::seconds(20)) == std::future_status::ready) return true;
  ADD_FAILURE() << "it never ends";
  std::abort();
}

TEST_P(ElfGaps, ASinkThatBlocksForEverBoundsWhatWaitsAndIsFlushedAndStopped) {
  Pipeline pipeline(
      "videotestsrc pattern=ball ! "
      "video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! "
      "identity name=before" +
      elements("name=offload deadline=200") + "identity name=behind ! " + kSink);
  EachBuffer frames(pipeline, "before", [](int, GstPad*) {});
  GstElement* behind = pipeline.element("behind");
  GstPad* pad = gst_element_get_static_pad(behind, "src");
  gst_object_unref(behind);
  const auto block = [&] {
    return gst_pad_add_probe(
        pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER),
        [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; }, nullptr, nullptr);
  };
  pipeline.play();
  ASSERT_TRUE(pipeline.next());
  const gulong first = block();
  // Until nothing moves any more.
  for (int seen = -1; seen != frames.count();) {
    seen = frames.count();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  int queues = 0;
  for (int i = 0; i < 5; ++i) queues += (GetParam().queues >> i) & 1;
  // A queue ends at 200 frames or a second; elfoffload at 200 ms.
  EXPECT_LE(frames.count(), 20 + 40 * queues);
  endsSoon([&] {
    gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 100 * GST_SECOND);
    gst_pad_remove_probe(pad, first);
  });
  std::optional<FrameRecord> after;
  do after = pipeline.next();
  while (after && pipeline.pts() < 100 * GST_SECOND);
  ASSERT_TRUE(after);
  block();
  endsSoon([&] { pipeline.stop(); });
  gst_object_unref(pad);
}

TEST_F(ElfPipeline, WhereThePipelineAddsMoreThanTheDeadlineAllIsShownAndInferred) {
  int missed = 1;
  for (int i = 0; i < 3 && missed > 0; ++i) {
    Pipeline pipeline(
        "videotestsrc is-live=true pattern=ball num-buffers=50 ! "
        "video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! tee name=t ! queue "
        "max-size-buffers=1 leaky=downstream" +
        elf("deadline=100") +
        "appsink name=out sync=true max-lateness=1 qos=true t. ! queue "
        "max-size-time=2000000000 ! fakesink sync=true render-delay=800000000");
    pipeline.play();
    const auto records = pipeline.all();
    missed = 50 - static_cast<int>(records.size()) + notInferred(records);
  }
  EXPECT_LE(missed, 0);
}

// --- elfoffload behind a source that only says what it is

/** A live source of no frames, of 20 ms of latency and at most 50 ms. */
class BehindALiveSource : public ::testing::Test {
 protected:
  BehindALiveSource() : server_(elf::testing::startBlobServer()) {
    offload_ = gst_element_factory_make("elfoffload", nullptr);
    gst_object_ref_sink(offload_);
    g_object_set(offload_, "servers", server_->url().c_str(), "model", "blob", "deadline", 300,
                 nullptr);
    bus_ = gst_bus_new();
    gst_element_set_bus(offload_, bus_);
    in_ = gst_element_get_static_pad(offload_, "sink");
    out_ = gst_element_get_static_pad(offload_, "src");
    source_ = gst_pad_new("src", GST_PAD_SRC);
    gst_pad_set_query_function(
        source_, +[](GstPad* pad, GstObject* parent, GstQuery* query) -> gboolean {
          if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
            return gst_pad_query_default(pad, parent, query);
          gst_query_set_latency(query, TRUE, 20 * GST_MSECOND, 50 * GST_MSECOND);
          return TRUE;
        });
    gst_pad_link(source_, in_);
    gst_pad_set_active(source_, TRUE);
  }
  ~BehindALiveSource() override {
    gst_element_set_state(offload_, GST_STATE_NULL);
    gst_pad_set_active(source_, FALSE);
    for (GstPad* pad : {source_, in_, out_}) gst_object_unref(pad);
    gst_object_unref(offload_);
    gst_object_unref(bus_);
  }

  void start() {
    ASSERT_NE(gst_element_set_state(offload_, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    gst_pad_push_event(source_, gst_event_new_stream_start("test"));
    send(640, 360);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(source_, gst_event_new_segment(&segment));
  }
  void send(int width, int height) {
    GstCaps* caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "I420", "width",
                                        G_TYPE_INT, width, "height", G_TYPE_INT, height,
                                        "framerate", GST_TYPE_FRACTION, 25, 1, nullptr);
    gst_pad_push_event(source_, gst_event_new_caps(caps));
    gst_caps_unref(caps);
  }
  /** The least and the most, in milliseconds. */
  std::pair<GstClockTime, GstClockTime> latency() const {
    GstQuery* query = gst_query_new_latency();
    EXPECT_TRUE(gst_pad_query(out_, query));
    gboolean live = FALSE;
    GstClockTime least = 0, most = 0;
    gst_query_parse_latency(query, &live, &least, &most);
    EXPECT_TRUE(live);
    gst_query_unref(query);
    return {least / GST_MSECOND, most / GST_MSECOND};
  }
  int latencyMessages() const {
    int count = 0;
    while (GstMessage* message = gst_bus_pop_filtered(bus_, GST_MESSAGE_LATENCY)) {
      ++count;
      gst_message_unref(message);
    }
    return count;
  }
  bool hasTask() const {
    GST_OBJECT_LOCK(out_);
    GstTask* task = GST_PAD_TASK(out_);
    const bool runs = task && gst_task_get_state(task) == GST_TASK_STARTED;
    GST_OBJECT_UNLOCK(out_);
    return runs;
  }

  std::unique_ptr<Server> server_;
  GstElement* offload_ = nullptr;
  GstBus* bus_ = nullptr;
  GstPad *source_ = nullptr, *in_ = nullptr, *out_ = nullptr;
};

using Latency = std::pair<GstClockTime, GstClockTime>;

TEST_F(BehindALiveSource, TheLatencyGrowsByTheDeadlineAndByWhatIsHeld) {
  start();
  EXPECT_EQ(latency(), Latency(320, 350));
  latencyMessages();
  g_object_set(offload_, "deadline", 80, nullptr);
  EXPECT_EQ(latencyMessages(), 1);
  EXPECT_EQ(latency(), Latency(100, 130));
  g_object_set(offload_, "deadline", 80, nullptr);
  EXPECT_EQ(latencyMessages(), 0) << "the same";
  g_object_set(offload_, "deadline", 0, nullptr);
  EXPECT_EQ(latencyMessages(), 1);
  EXPECT_EQ(latency(), Latency(520, 550));
}

TEST_F(BehindALiveSource, FramesOf8KLowerTheMostThatIsHeldAndThatIsTold) {
  g_object_set(offload_, "deadline", 1000, nullptr);
  start();
  EXPECT_EQ(latency(), Latency(1020, 1050));
  latencyMessages();
  send(7680, 4320);
  EXPECT_EQ(latencyMessages(), 1);
  // Ten frames of 50 MB are in 512 MiB.
  EXPECT_EQ(latency(), Latency(1020, 50 + 10 * 40));
  send(7680, 4320);
  EXPECT_EQ(latencyMessages(), 0) << "the same caps";
  send(640, 360);
  EXPECT_EQ(latencyMessages(), 1);
  EXPECT_EQ(latency(), Latency(1020, 1050));
}

TEST_F(BehindALiveSource, NoTaskIsStartedOnAPadThatIsNotActive) {
  gst_element_set_state(offload_, GST_STATE_READY);
  const auto poke = [&] {
    gst_pad_send_event(in_, gst_event_new_flush_start());
    gst_pad_send_event(in_, gst_event_new_flush_stop(TRUE));
    gst_pad_send_event(out_, gst_event_new_reconfigure());
    EXPECT_FALSE(hasTask());
  };
  poke();
  start();
  EXPECT_TRUE(hasTask());
  gst_element_set_state(offload_, GST_STATE_READY);
  poke();
}

}  // namespace
}  // namespace elf::gst
