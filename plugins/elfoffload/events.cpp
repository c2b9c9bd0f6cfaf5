// SPDX-License-Identifier: LGPL-2.1-or-later
// Events and queries of both pads.
#include <utility>

#include "gst/elfvision/gstelfservers.h"
#include "gst/elfvision/gstelfvideo.h"
#include "plugins/elfoffload/offload.h"

namespace elf::offloading {

namespace {

bool hasFlag(const GstEvent* event, GstEventTypeFlags flag) {
  return gst_event_type_get_flags(GST_EVENT_TYPE(event)) & flag;
}

}  // namespace

// --- the sink pad

GstFlowReturn Offload::sinkEvent(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
      flushStart(event);
      return GST_FLOW_OK;
    case GST_EVENT_FLUSH_STOP:
      gst_pad_push_event(srcpad_, event);
      gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
      entry_.own()->reset();
      stamps_.lag = {};
      stamps_.last = GST_CLOCK_TIME_NONE;
      // A frame that was moving from the queue to the loop as the flush began is old, too.
      for (const StreamPtr& stream : streams()) stream->abandon();
      // Deactivating the pads also flushes, and has stopped the task for good.
      if (!GST_PAD_IS_ACTIVE(srcpad_)) return GST_FLOW_OK;
      setFlushing(false);
      startTask();
      return GST_FLOW_OK;
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      GstVideoInfo info;
      gst_event_parse_caps(event, &caps);
      if (gst_video_info_from_caps(&info, caps)) setInfo(info);
      break;
    }
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment(event, &segment_);
      break;
    default:
      break;
  }
  if (!hasFlag(event, GST_EVENT_TYPE_SERIALIZED))
    return gst_pad_push_event(srcpad_, event) ? GST_FLOW_OK : GST_FLOW_ERROR;

  const auto item = std::make_shared<Item>();
  item->event.reset(event);
  const GstFlowReturn flow = enqueue(item);
  // Upstream pushes no more data that could return the flow, so report it to the application.
  if (isFailure(flow) && GST_EVENT_TYPE(event) == GST_EVENT_EOS)
    GST_ELEMENT_FLOW_ERROR(element_, flow);
  return flow;
}

void Offload::setInfo(const GstVideoInfo& info) {
  const GstClockTime before = mostTimeHeld();
  info_ = info;
  frameBytes_ = info.size;
  frameTime_ = info.fps_n > 0 ? gst_util_uint64_scale(GST_SECOND, info.fps_d, info.fps_n) : 0;
  if (mostTimeHeld() != before)
    gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
}

void Offload::flushStart(GstEvent* event) {
  gst_pad_push_event(srcpad_, event);
  const std::deque<ItemPtr> dropped = setFlushing(true);
  // Waits for the task, which may be storing an older event of the same type.
  gst_pad_pause_task(srcpad_);
  // Events that describe the stream survive a flush, as in queue.
  for (const ItemPtr& item : dropped)
    if (item->event && hasFlag(item->event.get(), GST_EVENT_TYPE_STICKY) &&
        !item->is(GST_EVENT_SEGMENT) && !item->is(GST_EVENT_EOS))
      gst_pad_store_sticky_event(srcpad_, item->event.get());
}

gboolean Offload::sinkQuery(GstQuery* query) {
  if (takeOffer(query) || gst::answerServersQuery(element_, query)) return TRUE;
  if (gst_query_type_get_flags(GST_QUERY_TYPE(query)) & GST_QUERY_TYPE_SERIALIZED)
    return serializedQuery(query);
  return gst_pad_query_default(sinkpad_, GST_OBJECT(element_), query);
}

bool Offload::takeOffer(GstQuery* query) {
  const StreamPtr stream = gst::parseStreamQuery(query);
  if (!stream) return false;
  if (const std::shared_ptr<Session> session = this->session()) {
    askUpstreamsLatency();
    attach(stream, session);
  }
  return true;
}

gboolean Offload::serializedQuery(GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION) {
    const MutexLock lock(stateMutex_);
    if (state_.holds([](const Item& item) { return item.buffer != nullptr; }))
      return proposeAllocation(query);
  }
  const auto item = std::make_shared<Item>();
  item->query = query;
  if (enqueue(item) != GST_FLOW_OK) return FALSE;
  MutexLock lock(stateMutex_);
  // The query must stay alive while the task runs it.
  while (item->progress == Item::Running || (item->progress == Item::Waiting && state_.flows()))
    changed_.wait(lock);
  std::erase(state_.queue, item);
  return item->result;
}

// Answers without downstream, which could only be asked after it has taken the queued frames: a
// live source would lose frames.
gboolean Offload::proposeAllocation(GstQuery* query) {
  GstCaps* caps = nullptr;
  GstVideoInfo info;
  gst_query_parse_allocation(query, &caps, nullptr);
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  if (caps && gst_video_info_from_caps(&info, caps))
    gst_query_add_allocation_pool(query, nullptr, static_cast<guint>(info.size),
                                  static_cast<guint>(settings().maxInFlight), 0);
  return TRUE;
}

gboolean Offload::runQuery(GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return gst_pad_peer_query(srcpad_, query);
  gst::forwardAllocation(srcpad_, query);
  // Frames that wait here are missing from the pool: always those that wait for answers, and with a
  // slow downstream those that wait for it.
  const auto sent = static_cast<guint>(settings().maxInFlight);
  const auto held = sent + (frameTime_ > 0 ? static_cast<guint>(mostTimeHeld() / frameTime_) : 0);
  const guint pools = gst_query_get_n_allocation_pools(query);
  for (guint i = 0; i < pools; ++i) {
    GstBufferPool* pool = nullptr;
    guint size = 0, least = 0, most = 0;
    gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &least, &most);
    gst_query_set_nth_allocation_pool(query, i, pool, size, least + sent,
                                      most == 0 ? 0 : most + held);
    const gst::Ref<GstBufferPool> owner(pool);
  }
  GstCaps* caps = nullptr;
  GstVideoInfo info;
  gst_query_parse_allocation(query, &caps, nullptr);
  if (pools == 0 && caps && gst_video_info_from_caps(&info, caps))
    gst_query_add_allocation_pool(query, nullptr, static_cast<guint>(info.size), sent, 0);
  return TRUE;
}

// --- the src pad

void Offload::srcEvent(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_QOS: {
      GstClockTimeDiff difference = 0;
      GstClockTime time = GST_CLOCK_TIME_NONE;
      gst_event_parse_qos(event, nullptr, nullptr, &difference, &time);
      const MutexLock lock(stateMutex_);
      state_.earliest = GST_CLOCK_TIME_NONE;
      if (GST_CLOCK_TIME_IS_VALID(time) &&
          (difference >= 0 || time > static_cast<GstClockTime>(-difference)))
        state_.earliest = time + static_cast<GstClockTime>(difference);
      break;
    }
    case GST_EVENT_LATENCY: {
      latencyUnknown_ = true;
      const MutexLock lock(stateMutex_);
      gst_event_parse_latency(event, &state_.pipelineLatency);
      changed_.notifyAll();
      break;
    }
    case GST_EVENT_RECONFIGURE: {
      for (const StreamPtr& stream : streams()) gst::offerStream(srcpad_, stream);
      const MutexLock lock(stateMutex_);
      // As queue does: a peer seems to be linked now.
      if (state_.flow == GST_FLOW_NOT_LINKED && GST_PAD_IS_ACTIVE(srcpad_)) {
        setFlow(GST_FLOW_OK);
        startTask();
      }
      break;
    }
    default:
      break;
  }
}

gboolean Offload::srcQuery(GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) return latency(query);
  return gst::answerServersQuery(element_, query) ||
         gst_pad_query_default(srcpad_, GST_OBJECT(element_), query);
}

gboolean Offload::latency(GstQuery* query) {
  if (!gst_pad_peer_query(sinkpad_, query)) return FALSE;
  gboolean live = FALSE;
  GstClockTime least = 0, most = GST_CLOCK_TIME_NONE;
  gst_query_parse_latency(query, &live, &least, &most);
  if (!live) return TRUE;
  const std::optional<milliseconds> limit = settings().timeLimit(true);
  if (!limit) {
    {
      const MutexLock lock(stateMutex_);
      if (std::exchange(state_.latencyRefused, true)) return FALSE;
    }
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("deadline: must not be -1 where the source is live."),
                      ("the latency of a live pipeline has to be known"));
    return FALSE;
  }
  {
    const MutexLock lock(stateMutex_);
    if (!live_.exchange(true)) setLimits();
  }
  const auto added = static_cast<GstClockTime>(limit->count()) * GST_MSECOND;
  gst_query_set_latency(query, TRUE, least + added,
                        GST_CLOCK_TIME_IS_VALID(most) ? most + mostTimeHeld() : most);
  return TRUE;
}

// Queries upstream's latency, and whether it is live.
void Offload::askUpstreamsLatency() {
  if (!latencyUnknown_.exchange(false)) return;
  const gst::Ref<GstQuery> query(gst_query_new_latency());
  gboolean live = FALSE;
  GstClockTime least = 0;
  if (gst_pad_peer_query(sinkpad_, query.get()))
    gst_query_parse_latency(query.get(), &live, &least, nullptr);
  upstreamLatency_ = least;
  const MutexLock lock(stateMutex_);
  if (live_.exchange(live) != static_cast<bool>(live)) setLimits();
}

}  // namespace elf::offloading
