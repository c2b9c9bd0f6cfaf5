// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/measuring.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/gstvideometa.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "elf/base/error.h"
#include "elf/base/seconds.h"
#include "elf/offload/bandwidth.h"
#include "gst/bench/oracle.h"
#include "gst/elfvision/gstelfmeta.h"

namespace elf::bench {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::minutes kPatience{1};

constexpr auto kRequestBytes = static_cast<std::size_t>(BandwidthControl::kRequestBytes);

FrameResult resultOf(const FrameRecord& record) {
  FrameResult result;
  result.bytes = result.countedBytes = record.bytesSent();
  result.wholeBytes = record.wholeBytes;
  result.pixels = record.pixelsSent();
  result.detections = record.detections;
  result.skipped = record.skipped;
  for (const Detection& detection : record.detections)
    result.coasted = result.coasted || detection.coasted;
  for (const PartAnswer& answer : record.answers) {
    result.failed = result.failed || answer.state != AnswerState::Answered;
    result.retried = result.retried || answer.attempts - answer.hedges > 1;
    result.countedBytes += static_cast<std::size_t>(answer.attempts) * kRequestBytes;
  }
  return result;
}

}  // namespace

/** appsrc, the mode's elements and an appsink. */
class ModeRun::Pipeline {
 public:
  Pipeline(const Mode& mode, const Input& input, const FrameDetections& reference, float minScore)
      : mode_(mode), input_(input), reference_(reference), minScore_(minScore) {
    GError* failure = nullptr;
    pipeline_ = gst_parse_launch(
        ("appsrc name=source format=time ! " + mode.launch + " ! appsink name=sink sync=false")
            .c_str(),
        &failure);
    if (failure) {
      const std::string reason = failure->message;
      g_error_free(failure);
      if (pipeline_) gst_object_unref(pipeline_);
      throw Error("mode " + mode.name, reason);
    }
    source_ = gst_bin_get_by_name(GST_BIN(pipeline_), "source");
    sink_ = gst_bin_get_by_name(GST_BIN(pipeline_), "sink");
    offload_ = gst_bin_get_by_name(GST_BIN(pipeline_), "offload");
    watch();
    GstCaps* caps = gst_video_info_to_caps(&input.info);
    gst_app_src_set_caps(GST_APP_SRC(source_), caps);
    gst_caps_unref(caps);
    gst_element_set_state(pipeline_, GST_STATE_PLAYING);
  }

  ~Pipeline() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(offload_);
    gst_object_unref(sink_);
    gst_object_unref(source_);
    gst_object_unref(pipeline_);
  }

  /** Waits until there is room for one more frame under way and it is time for it, and pushes it.
   */
  void push(std::size_t frame) {
    waitUntil([this] { return underWay_ < mode_.inFlight; });
    if (mode_.fps > 0) {
      std::this_thread::sleep_until(due_);
      due_ = std::max(due_, Clock::now()) + durationOf(mode_.interval / mode_.fps);
    }
    {
      const std::lock_guard lock(mutex_);
      ++underWay_;
    }
    GstBuffer* buffer = gst_buffer_copy(input_.frames[frame].get());
    if (mode_.referenceRois) addReferenceRois(buffer, reference_[frame], minScore_, input_.size());
    gst_app_src_push_buffer(GST_APP_SRC(source_), buffer);
  }

  /** Waits for all that is under way; the results of all frames since the last call. */
  std::vector<FrameResult> collect() {
    waitUntil([this] { return underWay_ == 0; });
    const std::lock_guard lock(mutex_);
    return std::exchange(results_, {});
  }

 private:
  struct Entry {
    GstClockTime pts;
    Clock::time_point when;
  };

  void watch() {
    GstPad* pad = gst_element_get_static_pad(source_, "src");
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer self) {
          static_cast<Pipeline*>(self)->entered(GST_PAD_PROBE_INFO_BUFFER(info));
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
    gst_object_unref(pad);

    GstAppSinkCallbacks callbacks{};
    callbacks.new_sample = [](GstAppSink* sink, gpointer self) {
      const auto when = Clock::now();
      GstSample* sample = gst_app_sink_pull_sample(sink);
      if (!sample) return GST_FLOW_EOS;
      static_cast<Pipeline*>(self)->left(gst_sample_get_buffer(sample), when);
      gst_sample_unref(sample);
      return GST_FLOW_OK;
    };
    gst_app_sink_set_callbacks(GST_APP_SINK(sink_), &callbacks, this, nullptr);

    GstBus* bus = gst_element_get_bus(pipeline_);
    gst_bus_set_sync_handler(
        bus,
        [](GstBus*, GstMessage* message, gpointer self) {
          if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
            static_cast<Pipeline*>(self)->failed(message);
          gst_message_unref(message);
          return GST_BUS_DROP;
        },
        this, nullptr);
    gst_object_unref(bus);
  }

  // Streaming threads from here on.

  void entered(GstBuffer* buffer) {
    const std::lock_guard lock(mutex_);
    entries_.push_back({GST_BUFFER_PTS(buffer), Clock::now()});
  }

  void left(GstBuffer* buffer, Clock::time_point when) {
    const FrameRecordPtr record = gst::getRecord(buffer);
    FrameResult result;
    if (record) result = resultOf(*record);
    noteChoice(result);
    const std::lock_guard lock(mutex_);
    if (!record || entries_.empty() || entries_.front().pts != GST_BUFFER_PTS(buffer)) {
      error_ = record ? "a frame was lost or came out of turn" : "a frame came out without record";
    } else {
      result.frame = GST_BUFFER_PTS(buffer) / framePts(1);
      result.latencyMs =
          std::chrono::duration<double, std::milli>(when - entries_.front().when).count();
      entries_.pop_front();
      results_.push_back(std::move(result));
      --underWay_;
    }
    changed_.notify_all();
  }

  // With one frame in flight it is that frame's, else that of the last one that went in.
  void noteChoice(FrameResult& result) {
    GstStructure* stats = nullptr;
    g_object_get(offload_, "stats", &stats, nullptr);
    gst_structure_get(stats, "quality", G_TYPE_INT, &result.quality, "scale", G_TYPE_DOUBLE,
                      &result.scale, nullptr);
    gst_structure_free(stats);
  }

  void failed(GstMessage* message) {
    GError* error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    const std::lock_guard lock(mutex_);
    if (error_.empty()) error_ = error->message;
    g_error_free(error);
    changed_.notify_all();
  }

  // The caller's thread.
  template <typename Condition>
  void waitUntil(Condition condition) {
    std::unique_lock lock(mutex_);
    while (!condition() && error_.empty()) {
      if (changed_.wait_for(lock, kPatience) == std::cv_status::timeout && !condition())
        error_ = "no frame came out for a minute";
    }
    if (!error_.empty()) throw Error("mode " + mode_.name, error_);
  }

  const Mode& mode_;
  const Input& input_;
  const FrameDetections& reference_;
  const float minScore_;
  GstElement* pipeline_ = nullptr;
  GstElement* source_ = nullptr;
  GstElement* sink_ = nullptr;
  GstElement* offload_ = nullptr;
  /** When the next frame may come. */
  Clock::time_point due_ = Clock::now();

  // Guards what follows; held only for moments.
  std::mutex mutex_;
  std::condition_variable changed_;
  int underWay_ = 0;
  std::deque<Entry> entries_;
  std::vector<FrameResult> results_;
  std::string error_;
};

ModeRun::ModeRun(Mode mode, const Input& input, const FrameDetections& reference, float minScore)
    : mode_(std::move(mode)),
      pipeline_(std::make_unique<Pipeline>(mode_, input, reference, minScore)) {}

ModeRun::~ModeRun() = default;

void ModeRun::run(std::size_t begin, std::size_t end) {
  const std::size_t sample = static_cast<std::size_t>(mode_.sample);
  const std::size_t interval = static_cast<std::size_t>(mode_.interval);
  const auto inferred = [&](std::size_t frame) { return frame / sample % interval == 0; };
  const auto started = Clock::now();
  for (std::size_t frame = begin; frame < end; ++frame)
    if (frame % sample == 0 && inferred(frame)) pipeline_->push(frame);
  std::vector<FrameResult> fresh = pipeline_->collect();
  seconds_ += std::chrono::duration<double>(Clock::now() - started).count();

  auto next = fresh.begin();
  for (std::size_t frame = begin; frame < end; ++frame) {
    if (frame % sample != 0) continue;
    if (inferred(frame)) {
      results_.push_back(std::move(*next++));
    } else {
      FrameResult repeated;
      repeated.frame = frame;
      repeated.detections = results_.back().detections;
      results_.push_back(std::move(repeated));
    }
  }
}

}  // namespace elf::bench
