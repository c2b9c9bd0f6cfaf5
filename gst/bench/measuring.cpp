// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/measuring.h"

#include <gst/app/gstappsrc.h>
#include <gst/video/gstvideometa.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <thread>

#include "elf/base/error.h"
#include "elf/base/mutex.h"
#include "elf/base/seconds.h"
#include "elf/offload/bandwidth.h"
#include "gst/bench/oracle.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfref.h"

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
  result.runs = record.requestsSent();
  if (record.plan) result.canvases = static_cast<int>(record.plan->canvases.size());
  result.detections = record.detections;
  result.skipped = record.skipped;
  result.inferred = record.inferred;
  for (const Detection& detection : record.detections)
    result.coasted = result.coasted || detection.coasted;
  for (const PartAnswer& answer : record.answers) {
    result.failed = result.failed || answer.state != AnswerState::Answered;
    result.retried = result.retried || answer.attempts - answer.hedges > 1;
  }
  result.countedBytes += static_cast<std::size_t>(record.requestsSent()) * kRequestBytes;
  return result;
}

/** From source to sink. A live pipeline drops the older frame if there is no room for two, and its
 * sink syncs to the clock. */
std::string launchLineOf(const Mode& mode) {
  if (!mode.live)
    return "appsrc name=source format=time ! " + mode.launch + " ! fakesink name=sink";
  return "appsrc name=source format=time is-live=true min-latency=0 ! queue "
         "leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0 ! " +
         mode.launch + " ! fakesink name=sink sync=true";
}

}  // namespace

/** appsrc, the mode's elements and a sink. */
class ModeRun::Pipeline {
 public:
  Pipeline(const Mode& mode, const Input& input, const FrameDetections& reference, float minScore)
      : mode_(mode), input_(input), reference_(reference), minScore_(minScore) {
    GError* failure = nullptr;
    pipeline_ = gst::sunk(gst_parse_launch(launchLineOf(mode).c_str(), &failure));
    if (failure) throw Error("mode " + mode.name, takeReason(failure));
    source_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "source"));
    sink_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "sink"));
    offload_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "offload"));
    watch();
    const gst::Ref<GstCaps> caps(gst_video_info_to_caps(&input.info));
    gst_app_src_set_caps(appSrc(), caps.get());
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    clock_.reset(gst_pipeline_get_clock(GST_PIPELINE(pipeline_.get())));
  }

  ~Pipeline() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }

  /** Waits until the frame is due, and pushes it. */
  void push(std::size_t frame) {
    if (mode_.live)
      waitForClock(ptsOf(frame));
    else
      waitForRoom();
    {
      const MutexLock lock(mutex_);
      ++underWay_;
    }
    GstBuffer* buffer = gst_buffer_copy(input_.frames[frame].get());
    GST_BUFFER_PTS(buffer) = ptsOf(frame);
    GST_BUFFER_DURATION(buffer) = ptsOf(frame + 1) - ptsOf(frame);
    if (mode_.referenceRois) addReferenceRois(buffer, reference_[frame], minScore_, input_.size());
    gst_app_src_push_buffer(appSrc(), buffer);
  }

  /** Waits for all frames in flight. Returns the results of all frames since the last call. */
  std::vector<FrameResult> collect() {
    // The number of frames that a live pipeline drops is known only at EOS.
    if (mode_.live) gst_app_src_end_of_stream(appSrc());
    waitUntil([this]() ELF_REQUIRES(mutex_) { return mode_.live ? ended_ : underWay_ == 0; });
    const MutexLock lock(mutex_);
    return std::exchange(results_, {});
  }

 private:
  struct Entry {
    GstClockTime pts;
    /** When the frame entered. Live: when it was captured. */
    Clock::time_point when;
  };

  GstAppSrc* appSrc() { return GST_APP_SRC(source_.get()); }

  GstClockTime ptsOf(std::size_t frame) const {
    if (!mode_.live) return framePts(frame);
    return static_cast<GstClockTime>(
        std::llround(static_cast<double>(frame) * GST_SECOND / mode_.live->fps));
  }

  std::size_t frameOf(GstClockTime pts) const {
    if (!mode_.live) return pts / framePts(1);
    return static_cast<std::size_t>(
        std::llround(static_cast<double>(pts) * mode_.live->fps / GST_SECOND));
  }

  /** The pipeline's clock time since the start. */
  GstClockTimeDiff runningTime() const {
    return GST_CLOCK_DIFF(gst_element_get_base_time(pipeline_.get()),
                          gst_clock_get_time(clock_.get()));
  }

  void waitForRoom() {
    waitUntil([this]() ELF_REQUIRES(mutex_) { return underWay_ < mode_.inFlight; });
    if (mode_.fps <= 0) return;
    std::this_thread::sleep_until(due_);
    due_ = std::max(due_, Clock::now()) + durationOf(mode_.interval / mode_.fps);
  }

  void waitForClock(GstClockTime time) {
    if (latencyChanged_.exchange(false)) gst_bin_recalculate_latency(GST_BIN(pipeline_.get()));
    GstClockID id = gst_clock_new_single_shot_id(clock_.get(),
                                                 gst_element_get_base_time(pipeline_.get()) + time);
    gst_clock_id_wait(id, nullptr);
    gst_clock_id_unref(id);
    const MutexLock lock(mutex_);
    throwIfFailed();
  }

  void watch() {
    addProbe(source_.get(), "src", GST_PAD_PROBE_TYPE_BUFFER,
             [](Pipeline& self, GstPadProbeInfo* info) {
               self.entered(GST_PAD_PROBE_INFO_BUFFER(info));
             });
    // A sink that syncs to the clock waits after this probe.
    addProbe(
        sink_.get(), "sink", GST_PAD_PROBE_TYPE_BUFFER,
        [](Pipeline& self, GstPadProbeInfo* info) { self.left(GST_PAD_PROBE_INFO_BUFFER(info)); });
    addProbe(sink_.get(), "sink", GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
             [](Pipeline& self, GstPadProbeInfo* info) {
               if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS) self.ended();
             });

    const gst::Ref<GstBus> bus(gst_element_get_bus(pipeline_.get()));
    gst_bus_set_sync_handler(
        bus.get(),
        [](GstBus*, GstMessage* message, gpointer self) {
          if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
            static_cast<Pipeline*>(self)->failed(message);
          if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_LATENCY)
            static_cast<Pipeline*>(self)->latencyChanged_ = true;
          if (gst_message_has_name(message, "elf-result"))
            static_cast<Pipeline*>(self)->answered(gst_message_get_structure(message));
          gst_message_unref(message);
          return GST_BUS_DROP;
        },
        this, nullptr);
  }

  using Seen = void (*)(Pipeline& self, GstPadProbeInfo* info);

  void addProbe(GstElement* element, const char* name, GstPadProbeType type, Seen seen) {
    struct Watch {
      Pipeline& self;
      Seen seen;
    };
    const gst::Ref<GstPad> pad(gst_element_get_static_pad(element, name));
    gst_pad_add_probe(
        pad.get(), type,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          const auto* watch = static_cast<const Watch*>(data);
          watch->seen(watch->self, info);
          return GST_PAD_PROBE_OK;
        },
        new Watch{*this, seen}, [](gpointer data) { delete static_cast<Watch*>(data); });
  }

  // Called by streaming threads from here on.

  void entered(GstBuffer* buffer) {
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    std::chrono::nanoseconds sinceCapture{0};
    if (mode_.live) sinceCapture = std::chrono::nanoseconds(GST_CLOCK_DIFF(pts, runningTime()));
    const MutexLock lock(mutex_);
    entries_.push_back({pts, Clock::now() - sinceCapture});
  }

  // Only live modes post results.
  void answered(const GstStructure* result) {
    gint64 pts = 0;
    gst_structure_get_int64(result, "pts_ns", &pts);
    const auto capture = static_cast<GstClockTime>(pts);
    const auto ms = static_cast<double>(GST_CLOCK_DIFF(capture, runningTime())) / GST_MSECOND;
    const MutexLock lock(mutex_);
    answeredMs_[capture] = ms;
  }

  void left(GstBuffer* buffer) {
    const auto when = Clock::now();
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    const FrameRecordPtr record = gst::getRecord(buffer);
    FrameResult result;
    if (record) result = resultOf(*record);
    noteChoice(result);
    const MutexLock lock(mutex_);
    if (mode_.live)  // skip frames that the queue dropped
      while (!entries_.empty() && entries_.front().pts < pts) entries_.pop_front();
    if (!record || entries_.empty() || entries_.front().pts != pts) {
      error_ = record ? "a frame was lost or came out of turn" : "a frame came out without record";
    } else {
      result.frame = frameOf(pts);
      result.latencyMs =
          std::chrono::duration<double, std::milli>(when - entries_.front().when).count();
      entries_.pop_front();
      if (const auto answered = answeredMs_.find(pts); answered != answeredMs_.end())
        result.answeredMs = answered->second;
      answeredMs_.erase(answeredMs_.begin(), answeredMs_.upper_bound(pts));
      results_.push_back(std::move(result));
      --underWay_;
    }
    changed_.notifyAll();
  }

  void ended() {
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.notifyAll();
  }

  // With one frame in flight the choice is for that frame, otherwise for the newest frame.
  void noteChoice(FrameResult& result) {
    GstStructure* stats = nullptr;
    g_object_get(offload_.get(), "stats", &stats, nullptr);
    gst_structure_get(stats, "quality", G_TYPE_INT, &result.quality, "scale", G_TYPE_DOUBLE,
                      &result.scale, nullptr);
    gst_structure_free(stats);
  }

  void failed(GstMessage* message) {
    GError* error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    const MutexLock lock(mutex_);
    const std::string reason = takeReason(error);
    if (error_.empty()) error_ = reason;
    changed_.notifyAll();
  }

  // Called by the caller's thread from here on.
  template <typename Condition>
  void waitUntil(Condition condition) {
    MutexLock lock(mutex_);
    while (!condition() && error_.empty()) {
      if (!changed_.waitUntil(lock, Clock::now() + kPatience) && !condition())
        error_ = "no frame came out for a minute";
    }
    throwIfFailed();
  }

  void throwIfFailed() const ELF_REQUIRES(mutex_) {
    if (!error_.empty()) throw Error("mode " + mode_.name, error_);
  }

  const Mode& mode_;
  const Input& input_;
  const FrameDetections& reference_;
  const float minScore_;
  gst::Ref<GstElement> pipeline_, source_, sink_, offload_;
  /** The running pipeline's. */
  gst::Ref<GstClock> clock_;
  /** When the next frame may be pushed. */
  Clock::time_point due_ = Clock::now();
  std::atomic<bool> latencyChanged_ = false;

  // Held only briefly.
  Mutex mutex_;
  ConditionVariable changed_;
  int underWay_ ELF_GUARDED_BY(mutex_) = 0;
  bool ended_ ELF_GUARDED_BY(mutex_) = false;
  std::deque<Entry> entries_ ELF_GUARDED_BY(mutex_);
  /** By time stamp. */
  std::map<GstClockTime, double> answeredMs_ ELF_GUARDED_BY(mutex_);
  std::vector<FrameResult> results_ ELF_GUARDED_BY(mutex_);
  std::string error_ ELF_GUARDED_BY(mutex_);
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
  if (mode_.live) {
    results_ = std::move(fresh);
    return;
  }

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
