// SPDX-License-Identifier: LGPL-2.1-or-later
// The inside of an elfoffload.
#pragma once

#include <gst/video/video.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/client/client_security.h"
#include "elf/metrics/client_series.h"
#include "elf/stream/frame_sender.h"
#include "gst/elfvision/gstelfref.h"
#include "gst/elfvision/gstelfrgb.h"
#include "gst/elfvision/gstelfsettings.h"
#include "gst/elfvision/gstelfstream.h"
#include "plugins/elfoffload/stamp_lag.h"

GST_DEBUG_CATEGORY_EXTERN(elfoffload_debug);
#define GST_CAT_DEFAULT elfoffload_debug

namespace elf::offloading {

using Clock = std::chrono::steady_clock;
using gst::StreamPtr;
using std::chrono::milliseconds;

class Session;

// --- settings and state
// Locks: settingsMutex_ guards Settings, stateMutex_ guards State. stateMutex_ comes before
// settingsMutex_ and before the locks of lib/. Neither is held while pushing, querying or posting.

/** Values of `deadline`. */
constexpr int kNoDeadline = -1;
constexpr int kUsualDeadline = 0;
/** The default deadline of live sources, and of others. */
constexpr milliseconds kLiveDeadline{500}, kOtherDeadline{2000};

struct Settings {
  std::string servers;
  std::string model = "hog";
  std::string modelVersion;
  std::string tensorNames;
  /** In milliseconds. */
  int deadline = kUsualDeadline;
  int maxInFlight = 1;
  /** An Encoding. */
  int encoding = static_cast<int>(Encoding::Auto);
  int jpegQuality = 90;
  /** In kbit/s. 0: no budget. */
  int bandwidth = 0;
  bool qos = true;
  bool leaky = false;
  /** Percent. */
  double hedging = 5;
  ClientSecurity security;
  /** 0: no metrics. */
  int metricsPort = 0;
  std::string metricsAddress = MetricsPlace().address;

  std::optional<milliseconds> timeLimit(bool live) const {
    if (deadline == kNoDeadline) return std::nullopt;
    if (deadline == kUsualDeadline) return live ? kLiveDeadline : kOtherDeadline;
    return milliseconds(deadline);
  }
  EncodingSettings encodingSettings() const {
    return {static_cast<Encoding>(encoding), jpegQuality, bandwidth};
  }
};

/** An item of the queue between the sink pad and the src pad's task: exactly one of the three. */
struct Item {
  gst::Ref<GstBuffer> buffer;
  gst::Ref<GstEvent> event;
  /** Belongs to the thread that waits for it in serializedQuery(). */
  GstQuery* query = nullptr;

  // Of a buffer.
  /** Lives as long as a frame of it waits here, even if its owner has left the pipeline. */
  gst::StreamPtr stream;
  /** Set when Stream::submit() calls back. */
  FrameRecordPtr record;

  // Of a query.
  enum { Waiting, Running, Finished } progress = Waiting;
  bool result = false;

  bool is(GstEventType type) const { return event && GST_EVENT_TYPE(event.get()) == type; }
};
using ItemPtr = std::shared_ptr<Item>;

struct State {
  /** Null unless the element is started. */
  std::shared_ptr<Session> session;
  /** The session's value of the property `servers`. */
  std::string usedServers;
  /** The streams whose frames the session sends. */
  std::vector<std::weak_ptr<Stream>> streams;
  std::deque<ItemPtr> queue;
  /** The result of chain(): FLUSHING while a pad is inactive or flushes, else that of the last
   * push. */
  GstFlowReturn flow = GST_FLOW_FLUSHING;
  bool ready = false;
  /** Waits for the servers end at this time. */
  Clock::time_point readyBy;
  bool latencyRefused = false;
  /** Frames up to this running time are late for the sink. */
  GstClockTime earliest = GST_CLOCK_TIME_NONE;
  /** Of the whole pipeline, as last set. */
  GstClockTime pipelineLatency = 0;
  std::uint64_t frames = 0;
  /** Of the last run, after its end. */
  ClientWork lastWork;

  bool flows() const { return flow == GST_FLOW_OK || flow == GST_FLOW_EOS; }
  /** Whether the queue holds a matching item. */
  template <typename Like>
  bool holds(const Like& like) const {
    return std::ranges::any_of(queue, [&](const ItemPtr& item) { return like(*item); });
  }
};

/** True for a flow that upstream or the application must hear of, unlike a flush or EOS. */
inline bool isFailure(GstFlowReturn flow) {
  return flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS;
}

/**
 * Threads: the upstream streaming thread (chain, serialized events and queries), the src pad's
 * task, the transport's thread and the background thread (answered frames), and any thread for
 * properties, other queries and upstream events.
 */
class Offload : public gst::WithSettings<Offload, Settings> {
 public:
  Offload(GstElement* element, GstPad* sinkpad, GstPad* srcpad);

  static std::span<const Property> properties();

  // data_flow.cpp
  GstFlowReturn chain(GstBuffer* buffer);

  // events.cpp
  GstFlowReturn sinkEvent(GstEvent* event);
  gboolean sinkQuery(GstQuery* query);
  void srcEvent(GstEvent* event);
  gboolean srcQuery(GstQuery* query);

  // state_changes.cpp
  void start();
  void stop();
  /** Activates a pad of this element in push mode. */
  bool activate(GstPad* pad, bool active);
  /** Called from the transport's thread once the servers are usable. */
  void setReady();

 private:
  // Properties.
  void applySettings();
  void setServers();
  GstStructure* stats();

  /** Of the current run, or of the last one. Any thread. */
  ClientWork work();

  // data_flow.cpp: a frame arrives,
  std::optional<FrameRecord> recordOf(GstBuffer* buffer, const std::shared_ptr<Session>& session,
                                      gst::StreamPtr& stream);
  std::optional<Clock::duration> lateness(GstBuffer* buffer);
  Clock::duration waitedBefore(GstBuffer* buffer, Clock::duration limit);
  std::optional<Clock::time_point> dueTime(GstBuffer* buffer);
  bool isLate(GstBuffer* buffer);
  GstFlowReturn enqueue(const ItemPtr& item);
  // waits,
  GstClockTime mostTimeHeld() const;
  bool hasRoom() const ELF_REQUIRES(stateMutex_);
  // and leaves.
  void startTask();
  void loop();
  bool firstMayLeave() const ELF_REQUIRES(stateMutex_);
  std::optional<GstFlowReturn> pauseTask() ELF_REQUIRES(stateMutex_);
  GstFlowReturn pushFrame(Item& item);
  std::chrono::nanoseconds delayOf(const FrameRecord& record) const;

  // events.cpp
  void setInfo(const GstVideoInfo& info);
  void flushStart(GstEvent* event);
  bool takeOffer(GstQuery* query);
  gboolean serializedQuery(GstQuery* query);
  gboolean proposeAllocation(GstQuery* query);
  gboolean runQuery(GstQuery* query);
  gboolean latency(GstQuery* query);
  void askUpstreamsLatency();

  // state_changes.cpp
  /** Also for flushes. Wakes every wait. Returns the items dropped from the queue. */
  std::deque<ItemPtr> setFlushing(bool flushing);
  std::shared_ptr<Session> session();
  std::vector<StreamPtr> streams();
  std::vector<StreamPtr> aliveStreams() ELF_REQUIRES(stateMutex_);
  bool attach(const StreamPtr& stream, const std::shared_ptr<Session>& session);
  void warnOfClearToken(const std::vector<std::string>& urls, const Settings& settings);
  Slots::Limits limits() const ELF_REQUIRES(stateMutex_);
  void setLimits() ELF_REQUIRES(stateMutex_);
  void setFlow(GstFlowReturn flow) ELF_REQUIRES(stateMutex_);

  GstElement* const element_;
  GstPad* const sinkpad_;
  GstPad* const srcpad_;

  // Belong to the upstream streaming thread, or to any thread while it is stopped.
  gst::StreamEntry entry_;
  GstVideoInfo info_;
  GstSegment segment_;
  gst::RgbCutter cutter_;
  struct {
    StampLag lag;
    /** Running time of the last frame. */
    GstClockTime last = GST_CLOCK_TIME_NONE;
    bool warned = false;
  } stamps_;
  bool warnedOfOther_ = false;

  /** Of the pushed frames. */
  FrameTally tally_;

  /** The deadline at the last latency message. */
  std::atomic<int> deadline_ = kUsualDeadline;
  std::atomic<bool> live_ = false;
  /** The latency that upstream adds before a frame arrives here. */
  std::atomic<GstClockTime> upstreamLatency_ = 0;
  /** Upstream's latency must be queried. */
  std::atomic<bool> latencyUnknown_ = true;
  /** Bytes and duration of a frame. 0: unknown. */
  std::atomic<std::size_t> frameBytes_ = 0;
  std::atomic<GstClockTime> frameTime_ = 0;

  Mutex stateMutex_;
  ConditionVariable changed_;
  State state_ ELF_GUARDED_BY(stateMutex_);

  /** Belongs to state changes. Null without a metrics-port. The last member, as it calls work(). */
  std::unique_ptr<ClientSeries> series_;
};

}  // namespace elf::offloading
