// SPDX-License-Identifier: LGPL-2.1-or-later
// How an element finds the loop of the stream that its frames belong to.
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <optional>

#include "elf/stream/stream.h"

namespace elf::gst {

using StreamPtr = std::shared_ptr<Stream>;

/**
 * Sends the query `elf-stream` downstream of `srcpad`: the next frames belong to `stream`.
 * elfoffload sends that stream's frames from then on, and elfmerge states how they are to be
 * merged. If the query reaches no element, as behind an appsink, they learn the stream from the
 * first frame's record.
 */
void offerStream(GstPad* srcpad, const StreamPtr& stream);
/** The stream in the query. Null for another query. */
StreamPtr parseStreamQuery(GstQuery* query);

/** The running time of the buffer's time stamp. GST_CLOCK_TIME_NONE if the buffer has no time stamp
 * or the segment is not in time. */
GstClockTime runningTimeOf(GstBuffer* buffer, const GstSegment& segment);

/**
 * The record on the buffer, or null. A record of another size than `size` belongs to other pixels.
 * It is ignored with one element warning, after which `warned` is set.
 */
FrameRecordPtr carriedRecord(GstElement* element, GstBuffer* buffer, Size size, bool& warned);

/**
 * Gives the frames of one element their records. A frame keeps the record of an earlier Elf
 * element. Otherwise it gets a new record in the element's own stream, which is a new stage if the
 * frame comes from an elfoffload. Belongs to the streaming thread, except own(), setStopped() and
 * srcEvent(), which any thread may call.
 */
class StreamEntry {
 public:
  explicit StreamEntry(GstElement* element) : element_(element) {}

  const StreamPtr& own() const { return own_; }

  /** The element starts. The default predictor leaves boxes where they are. */
  void start(std::unique_ptr<const RpPredictor> predictor = RpPredictor::create("last"),
             History::Limits limits = {});
  /** Stops or allows waiting in enter(). Stopping wakes a waiting thread. */
  void setStopped(bool stopped);
  const std::atomic<bool>& stopped() const { return stopped_; }
  /** A flush stops the entry and then resets the stream. */
  void sinkEvent(GstEvent* event);
  /** Offers the stream again after RECONFIGURE: the downstream elements may have changed. */
  void srcEvent(GstEvent* event);

  /** carriedRecord(), if the frame is not answered yet. Otherwise null. */
  FrameRecordPtr onItsWay(GstBuffer* buffer, Size size);
  /** A record of the own stream for the frame in `buffer`, which is in `segment`. Offers the stream
   * downstream of `srcpad` first. Waits for the frame's turn. Unset if stopped. */
  std::optional<FrameRecord> enter(GstPad* srcpad, GstBuffer* buffer, const GstSegment& segment,
                                   const GstVideoInfo& info);

 private:
  GstElement* const element_;
  const StreamPtr own_ = Stream::create();
  std::atomic<bool> stopped_ = true;
  std::atomic<bool> offered_ = false;
  bool warned_ = false;
};

}  // namespace elf::gst
