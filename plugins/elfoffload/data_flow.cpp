// SPDX-License-Identifier: LGPL-2.1-or-later
// A frame arrives, waits for its answers, and leaves in order.
#include <algorithm>
#include <utility>

#include "elf/base/seconds.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfvideo.h"
#include "plugins/elfoffload/offload.h"
#include "plugins/elfoffload/session.h"
#include "plugins/elfoffload/statistics.h"

namespace elf::offloading {

namespace {

/** The part of a live frame's deadline that is left for the elements downstream. */
constexpr milliseconds kTimeBehind{5};
/** The maximum that waits for downstream. */
constexpr std::size_t kMostBytesHeld = std::size_t{512} << 20;
/** Without a deadline. */
constexpr GstClockTime kLeastTimeHeld = GST_SECOND;
/** For frames without time stamps. */
constexpr std::size_t kMostFramesHeld = 30;

/** The pixels of a mapped frame. */
class MappedPixels : public FramePixels {
 public:
  MappedPixels(const gst::MappedFrame& frame, gst::RgbCutter& cutter)
      : frame_(frame), cutter_(cutter) {}
  ImageView view() const override { return frame_.view(); }
  std::span<const std::uint8_t> rgb(const Rect& rect, Size sent) override {
    return cutter_.cut(frame_, rect, sent);
  }

 private:
  const gst::MappedFrame& frame_;
  gst::RgbCutter& cutter_;
};

/** True for an event that ends downstream's EOS. */
bool beginsAnew(const Item& item) {
  return item.is(GST_EVENT_SEGMENT) || item.is(GST_EVENT_STREAM_START);
}

}  // namespace

// --- in

GstFlowReturn Offload::chain(GstBuffer* buffer) {
  const auto item = std::make_shared<Item>();
  item->buffer.reset(buffer);
  if (GST_VIDEO_INFO_FORMAT(&info_) == GST_VIDEO_FORMAT_UNKNOWN) return GST_FLOW_NOT_NEGOTIATED;
  std::shared_ptr<Session> session;
  {
    MutexLock lock(stateMutex_);
    // Downstream's EOS ends when the task reaches the new segment.
    while (state_.flow == GST_FLOW_EOS && state_.holds(beginsAnew)) changed_.wait(lock);
    if (state_.flow != GST_FLOW_OK) return state_.flow;
    session = state_.session;
  }
  askUpstreamsLatency();
  std::optional<FrameRecord> record = recordOf(buffer, session, item->stream);
  auto mapped = gst::MappedFrame::map(info_, buffer, GST_MAP_READ);
  if (!mapped) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT,
                      ("A buffer of %" G_GSIZE_FORMAT " bytes holds no frame of %dx%d.",
                       gst_buffer_get_size(buffer), info_.width, info_.height),
                      ("gst_video_frame_map() failed"));
    return GST_FLOW_ERROR;
  }
  {
    const MutexLock lock(stateMutex_);
    // No record means that the wait was stopped.
    if (state_.flow != GST_FLOW_OK || !record)
      return state_.flow == GST_FLOW_OK ? GST_FLOW_FLUSHING : state_.flow;
    ++state_.frames;
    state_.queue.push_back(item);
  }
  const StreamPtr stream = item->stream;
  if (isLate(buffer)) record->skipped = true;
  const auto due = dueTime(buffer);
  MappedPixels pixels(*mapped, cutter_);
  stream->submit(std::move(*record), pixels, due,
                 [this, weak = std::weak_ptr(item)](FrameRecordPtr answered) {
                   const ItemPtr answeredItem = weak.lock();
                   if (!answeredItem) return;
                   const MutexLock lock(stateMutex_);
                   answeredItem->record = std::move(answered);
                   changed_.notifyAll();
                 });
  // Downstream would have to copy a buffer that is still mapped, to write into it.
  mapped.reset();
  stream->slots().awaitRoom(entry_.stopped());
  MutexLock lock(stateMutex_);
  while (state_.flow == GST_FLOW_OK && !hasRoom()) changed_.wait(lock);
  return state_.flow;
}

// The record of the frame and its stream, if this element sends its stream's frames. Otherwise new
// ones.
std::optional<FrameRecord> Offload::recordOf(GstBuffer* buffer,
                                             const std::shared_ptr<Session>& session,
                                             StreamPtr& stream) {
  const Size size{info_.width, info_.height};
  if (FrameRecordPtr carried = entry_.onItsWay(buffer, size)) {
    stream = carried->stream.lock();
    if (stream && attach(stream, session)) {
      if (!gst_buffer_is_writable(buffer)) return *carried;
      carried.reset();
      return gst::takeRecord(buffer);
    }
    if (stream && !std::exchange(warnedOfOther_, true))
      GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                          ("Another elfoffload sends the frames of this stream."),
                          ("this one sends whole frames, and learns nothing from them"));
  }
  stream = entry_.own();
  attach(stream, session);
  return entry_.enter(srcpad_, buffer, segment_, info_);
}

// How much later than possible the frame arrived. Unset if its time stamp does not tell: a camera
// may give the same one again.
std::optional<Clock::duration> Offload::lateness(GstBuffer* buffer) {
  const GstClockTime time = gst::runningTimeOf(buffer, segment_);
  const GstClockTime before = std::exchange(stamps_.last, time);
  if (!live_ || !GST_CLOCK_TIME_IS_VALID(time) || time == before) return std::nullopt;
  const GstClockTime now = gst_element_get_current_running_time(element_);
  const GstClockTime expected = time + upstreamLatency_;
  if (!GST_CLOCK_TIME_IS_VALID(now)) return std::nullopt;
  return std::chrono::nanoseconds(now > expected ? now - expected : 0);
}

// How long the frame has waited upstream, as far as that is known.
Clock::duration Offload::waitedBefore(GstBuffer* buffer, Clock::duration limit) {
  const std::optional<Clock::duration> late = lateness(buffer);
  if (!late) return {};
  const Clock::duration lag = stamps_.lag.note(*late, Clock::now(), limit);
  if (lag > Clock::duration{} && !std::exchange(stamps_.warned, true))
    GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                        ("Time stamps are %.1f s behind the clock: the deadline of frames counts "
                         "from their arrival.",
                         secondsOf(lag)),
                        ("Upstream's time stamps are wrong, or it reports too little latency."));
  return *late - lag;
}

// The time at which the frame is pushed, answered or not.
std::optional<Clock::time_point> Offload::dueTime(GstBuffer* buffer) {
  const auto limit = settings().timeLimit(live_);
  if (!limit) return std::nullopt;
  // The elements downstream take time, too, and the sink does not wait longer than the latency.
  const auto behind = live_ ? std::min(*limit / 10, kTimeBehind) : milliseconds(0);
  return Clock::now() + *limit - behind - waitedBefore(buffer, *limit);
}

bool Offload::isLate(GstBuffer* buffer) {
  const GstClockTime time = gst::runningTimeOf(buffer, segment_);
  const bool wanted = settings().qos;
  const MutexLock lock(stateMutex_);
  return wanted && GST_CLOCK_TIME_IS_VALID(time) && GST_CLOCK_TIME_IS_VALID(state_.earliest) &&
         time <= state_.earliest;
}

// Queues an event or a query, even at downstream's EOS: a new segment may follow.
GstFlowReturn Offload::enqueue(const ItemPtr& item) {
  const MutexLock lock(stateMutex_);
  if (!state_.flows()) return state_.flow;
  state_.queue.push_back(item);
  changed_.notifyAll();
  return GST_FLOW_OK;
}

// --- while it waits

// The longest time that frames are held, limited by bytes. Live: added to the maximum latency.
GstClockTime Offload::mostTimeHeld() const {
  const auto limit = settings().timeLimit(live_);
  const GstClockTime added =
      limit ? static_cast<GstClockTime>(limit->count()) * GST_MSECOND : kLeastTimeHeld;
  if (frameBytes_ == 0 || frameTime_ == 0) return added;
  return std::min(added, kMostBytesHeld / frameBytes_ * frameTime_);
}

// Whether one more frame may wait here.
bool Offload::hasRoom() const {
  std::size_t frames = 0, bytes = 0;
  GstClockTime first = GST_CLOCK_TIME_NONE, last = GST_CLOCK_TIME_NONE;
  for (const ItemPtr& item : state_.queue) {
    if (!item->buffer) continue;
    ++frames;
    bytes += gst_buffer_get_size(item->buffer.get());
    last = GST_BUFFER_PTS(item->buffer.get());
    if (!GST_CLOCK_TIME_IS_VALID(first)) first = last;
  }
  if (frames <= 1) return true;
  if (bytes + frameBytes_ > kMostBytesHeld) return false;
  if (!GST_CLOCK_TIME_IS_VALID(first) || !GST_CLOCK_TIME_IS_VALID(last) || last <= first)
    return frames < kMostFramesHeld;
  // The sink may delay frames by the latency of other elements in the pipeline.
  return last - first <= std::max(mostTimeHeld(), state_.pipelineLatency) + frameTime_;
}

// --- out: the task of the src pad

void Offload::startTask() {
  gst_pad_start_task(
      srcpad_,
      [](gpointer data) {
        auto* offload = static_cast<Offload*>(data);
        gst::guarded(offload->element_, [offload] { offload->loop(); });
      },
      this, nullptr);
}

void Offload::loop() {
  ItemPtr item;
  std::optional<GstFlowReturn> failure;
  {
    MutexLock lock(stateMutex_);
    while (state_.flows() && !firstMayLeave()) changed_.wait(lock);
    if (state_.flows()) {
      item = std::move(state_.queue.front());
      state_.queue.pop_front();
      item->progress = Item::Running;
      if (beginsAnew(*item) && state_.flow == GST_FLOW_EOS) setFlow(GST_FLOW_OK);
      changed_.notifyAll();
    } else {
      failure = pauseTask();
    }
  }
  if (failure) GST_ELEMENT_FLOW_ERROR(element_, *failure);
  if (!item) return;
  if (item->buffer) {
    const GstFlowReturn flow = pushFrame(*item);
    const MutexLock lock(stateMutex_);
    if (state_.flow == GST_FLOW_OK && flow != GST_FLOW_OK) setFlow(flow);
  } else if (item->event) {
    gst_pad_push_event(srcpad_, item->event.release());
  } else {
    const bool result = runQuery(item->query);
    const MutexLock lock(stateMutex_);
    item->result = result;
    item->progress = Item::Finished;
    changed_.notifyAll();
  }
}

// Whether the first item may leave. At downstream's EOS frames do not wait for answers.
bool Offload::firstMayLeave() const {
  if (state_.queue.empty()) return false;
  const Item& first = *state_.queue.front();
  return !first.buffer || first.record || state_.flow == GST_FLOW_EOS;
}

// Needs the lock, or a RECONFIGURE could start the task between the check of the flow and the
// pause. Returns a failure that the application must hear of.
std::optional<GstFlowReturn> Offload::pauseTask() {
  gst_pad_pause_task(srcpad_);
  const bool eos = state_.holds([](const Item& item) { return item.is(GST_EVENT_EOS); });
  return eos && isFailure(state_.flow) ? std::optional(state_.flow) : std::nullopt;
}

GstFlowReturn Offload::pushFrame(Item& item) {
  {
    const MutexLock lock(stateMutex_);
    if (state_.flow != GST_FLOW_OK) return state_.flow;
  }
  logWay(element_, *item.record);
  tally_.add(*item.record, delayOf(*item.record));
  GstBuffer* buffer = gst_buffer_make_writable(item.buffer.release());
  gst::setRecord(buffer, std::exchange(item.record, nullptr));
  return gst_pad_push(srcpad_, buffer);
}

// Time since the capture of the frame if that is known, else since its entry.
std::chrono::nanoseconds Offload::delayOf(const FrameRecord& record) const {
  const GstClockTime now =
      live_ ? gst_element_get_current_running_time(element_) : GST_CLOCK_TIME_NONE;
  if (!GST_CLOCK_TIME_IS_VALID(now) || !record.runningTime) return Clock::now() - record.entered;
  return std::max(std::chrono::nanoseconds(now) - *record.runningTime, std::chrono::nanoseconds(0));
}

}  // namespace elf::offloading
