// SPDX-License-Identifier: LGPL-2.1-or-later
// What is inside of an elfoffload.
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
#include "elf/stream/frame_sender.h"
#include "gst/elfvision/gstelfref.h"
#include "gst/elfvision/gstelfrgb.h"
#include "gst/elfvision/gstelfsettings.h"
#include "gst/elfvision/gstelfstream.h"

GST_DEBUG_CATEGORY_EXTERN(elfoffload_debug);
#define GST_CAT_DEFAULT elfoffload_debug

namespace elf::offloading {

using Clock = std::chrono::steady_clock;
using gst::StreamPtr;
using std::chrono::milliseconds;

class Session;

// --- settings and state
// Locks: settingsMutex_ for Settings, stateMutex_ for State. The latter comes before the former and
// before the locks of lib/. Neither is held while pushing, querying or posting.

/** Values of `deadline`. */
constexpr int kNoDeadline = -1;
constexpr int kUsualDeadline = 0;
/** What the usual one is, where somebody watches, and where the source waits. */
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
  /** In kbit/s; 0: no budget. */
  int bandwidth = 0;
  bool qos = true;
  bool leaky = false;
  /** Percent. */
  double hedging = 5;
  ClientSecurity security;

  std::optional<milliseconds> timeLimit(bool live) const {
    if (deadline == kNoDeadline) return std::nullopt;
    if (deadline == kUsualDeadline) return live ? kLiveDeadline : kOtherDeadline;
    return milliseconds(deadline);
  }
  EncodingSettings encodingSettings() const {
    return {static_cast<Encoding>(encoding), jpegQuality, bandwidth};
  }
};

/** What is queued between the sink pad and the task of the src pad: exactly one of the three. */
struct Item {
  gst::Ref<GstBuffer> buffer;
  gst::Ref<GstEvent> event;
  /** Belongs to the thread that waits for it in serializedQuery(). */
  GstQuery* query = nullptr;

  /** Of a buffer, once the loop is done with it. */
  FrameRecordPtr record;

  // Of a query.
  enum { Waiting, Running, Finished } progress = Waiting;
  bool result = false;

  bool is(GstEventType type) const { return event && GST_EVENT_TYPE(event.get()) == type; }
};
using ItemPtr = std::shared_ptr<Item>;

/** What the servers had to do. */
struct Work {
  OffloadStats parts;
  FrameSender::Stats frames;
  std::vector<ServerState> servers;
};

struct State {
  /** Null unless the element is started. */
  std::shared_ptr<Session> session;
  /** The property `servers` as the session has it. */
  std::string usedServers;
  /** Those whose frames the session sends. */
  std::vector<std::weak_ptr<Stream>> streams;
  std::deque<ItemPtr> queue;
  /** What chain() returns: FLUSHING while a pad is inactive or flushes, else what a push returned.
   */
  GstFlowReturn flow = GST_FLOW_FLUSHING;
  bool ready = false;
  /** Whoever needs the servers waits for them no longer than this. */
  Clock::time_point readyBy;
  bool latencyRefused = false;
  /** Frames up to this running time are late for the sink. */
  GstClockTime earliest = GST_CLOCK_TIME_NONE;
  /** Of the whole pipeline, as it was last set. */
  GstClockTime pipelineLatency = 0;
  std::uint64_t frames = 0, skipped = 0;
  /** Of the last run, once it is over. */
  Work lastWork;

  bool flows() const { return flow == GST_FLOW_OK || flow == GST_FLOW_EOS; }
  /** Whether something like that is queued. */
  template <typename Like>
  bool holds(const Like& like) const {
    return std::ranges::any_of(queue, [&](const ItemPtr& item) { return like(*item); });
  }
};

/** True for what upstream or the application has to hear of, as a flush and EOS need not be. */
inline bool isFailure(GstFlowReturn flow) {
  return flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS;
}

/**
 * Threads: the upstream streaming thread (chain, serialized events and queries), the task of the
 * src pad, the thread of the transport, and any thread for properties, other queries and upstream
 * events.
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
  /** A pad of this element; in push mode. */
  bool activate(GstPad* pad, bool active);
  /** From the transport's thread: the servers can be used. */
  void setReady();

 private:
  // Of properties.
  void applySettings();
  void setServers();
  GstStructure* stats();

  // data_flow.cpp: a frame comes in,
  std::optional<FrameRecord> recordOf(GstBuffer* buffer, const std::shared_ptr<Session>& session);
  Clock::duration waitedBefore(GstBuffer* buffer) const;
  std::optional<Clock::time_point> dueTime(GstBuffer* buffer) const;
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
  /** Also for flushes: wakes every wait. Returns what was queued, and is dropped. */
  std::deque<ItemPtr> setFlushing(bool flushing);
  std::shared_ptr<Session> session();
  std::vector<StreamPtr> streams();
  bool attach(const StreamPtr& stream, const std::shared_ptr<Session>& session);
  void warnOfClearToken(const std::vector<std::string>& urls, const Settings& settings);
  Slots::Limits limits() const ELF_REQUIRES(stateMutex_);
  void setLimits() ELF_REQUIRES(stateMutex_);
  void setFlow(GstFlowReturn flow) ELF_REQUIRES(stateMutex_);

  GstElement* const element_;
  GstPad* const sinkpad_;
  GstPad* const srcpad_;

  // The upstream streaming thread's, or anybody's while it is stopped.
  gst::StreamEntry entry_;
  GstVideoInfo info_;
  GstSegment segment_;
  gst::RgbCutter cutter_;
  bool warnedOfOther_ = false;

  /** As it was last told of. */
  std::atomic<int> deadline_ = kUsualDeadline;
  std::atomic<bool> live_ = false;
  /** What upstream adds before a frame comes here. */
  std::atomic<GstClockTime> upstreamLatency_ = 0;
  /** The latency of upstream is to be asked for. */
  std::atomic<bool> latencyUnknown_ = true;
  /** Bytes of a frame, and its time; 0: unknown. */
  std::atomic<std::size_t> frameBytes_ = 0;
  std::atomic<GstClockTime> frameTime_ = 0;

  Mutex stateMutex_;
  ConditionVariable changed_;
  State state_ ELF_GUARDED_BY(stateMutex_);
};

}  // namespace elf::offloading
