// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfstream.h"

#include "gst/elfvision/gstelfboxed.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfref.h"
#include "gst/elfvision/gstelfresult.h"
#include "gst/elfvision/gstelfvideo.h"

namespace elf::gst {

namespace {

constexpr const char* kQuery = "elf-stream";
constexpr const char* kStream = "stream";

GType streamType() {
  return boxedType<StreamPtr>("GstElfStream");
}

}  // namespace

void offerStream(GstPad* srcpad, const StreamPtr& stream) {
  GstStructure* structure = gst_structure_new_empty(kQuery);
  setBoxed(structure, kStream, streamType(), stream);
  const Ref<GstQuery> query(gst_query_new_custom(GST_QUERY_CUSTOM, structure));
  gst_pad_peer_query(srcpad, query.get());
}

StreamPtr parseStreamQuery(GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM) return nullptr;
  const GstStructure* structure = gst_query_get_structure(query);
  if (!gst_structure_has_name(structure, kQuery)) return nullptr;
  return getBoxed<StreamPtr>(structure, kStream, streamType());
}

GstClockTime runningTimeOf(GstBuffer* buffer, const GstSegment& segment) {
  if (segment.format != GST_FORMAT_TIME) return GST_CLOCK_TIME_NONE;
  return gst_segment_to_running_time(&segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
}

FrameRecordPtr carriedRecord(GstElement* element, GstBuffer* buffer, Size size, bool& warned) {
  FrameRecordPtr record = getRecord(buffer);
  if (!record || record->size == size) return record;
  if (!std::exchange(warned, true))
    GST_ELEMENT_WARNING(element, STREAM, FORMAT,
                        ("The Elf record of a frame is for %dx%d pixels, but the frame has %dx%d.",
                         record->size.width, record->size.height, size.width, size.height),
                        ("an element between the Elf elements changes the size of the video"));
  return nullptr;
}

void StreamEntry::start(std::unique_ptr<const RpPredictor> predictor, History::Limits limits) {
  own_->begin(std::move(predictor), limits);
  warned_ = false;
  offered_ = false;
  stopped_ = false;
}

void StreamEntry::setStopped(bool stopped) {
  stopped_ = stopped;
  own_->slots().wake();
}

void StreamEntry::sinkEvent(GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START) setStopped(true);
  if (GST_EVENT_TYPE(event) != GST_EVENT_FLUSH_STOP) return;
  own_->reset();
  setStopped(false);
}

void StreamEntry::srcEvent(GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) offered_ = false;
}

FrameRecordPtr StreamEntry::onItsWay(GstBuffer* buffer, Size size) {
  FrameRecordPtr record = carriedRecord(element_, buffer, size, warned_);
  return record && record->frame && !record->stream.expired() ? record : nullptr;
}

std::optional<FrameRecord> StreamEntry::enter(GstPad* srcpad, GstBuffer* buffer,
                                              const GstSegment& segment, const GstVideoInfo& info) {
  if (!offered_.exchange(true)) offerStream(srcpad, own_);
  const auto time = [](GstClockTime of) {
    return GST_CLOCK_TIME_IS_VALID(of) ? std::optional(std::chrono::nanoseconds(of)) : std::nullopt;
  };
  const Size size{info.width, info.height};
  std::optional<FrameRecord> record =
      own_->enter(size, time(runningTimeOf(buffer, segment)), stopped_);
  if (!record) return record;
  record->pixelAspect = pixelAspect(info);
  record->pts = time(GST_BUFFER_PTS(buffer));
  if (const FrameRecordPtr carried = getRecord(buffer)) {
    record->stage = carried->stage + (carried->answered ? 1 : 0);
    if (carried->size == size) record->before = carried->answered ? carried : carried->before;
    if (record->before && gst_buffer_is_writable(buffer)) restoreRegions(buffer, *record->before);
  }
  return record;
}

}  // namespace elf::gst
