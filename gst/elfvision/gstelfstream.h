// SPDX-License-Identifier: LGPL-2.1-or-later
// How an element finds the loop of the stream that its frames belong to.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <memory>
#include <optional>

#include "elf/stream/stream.h"

namespace elf::gst {

using StreamPtr = std::shared_ptr<Stream>;

/**
 * Tells the elements downstream of `srcpad` that the frames to come belong to `stream`, by the
 * query `elf-stream`: elfoffload sends them from then on, elfmerge says how they are to be merged.
 * Where none can be asked, as behind an appsink, they learn it from the first frame's record.
 */
void offerStream(GstPad* srcpad, const StreamPtr& stream);
/** The stream that such a query offers; null for another query. */
StreamPtr parseStreamQuery(GstQuery* query);

/** Of the buffer's time stamp; GST_CLOCK_TIME_NONE where it has none, or the segment no time. */
GstClockTime runningTimeOf(GstBuffer* buffer, const GstSegment& segment);

/**
 * The record that the buffer carries, or null. A record whose size is not `size` belongs to other
 * pixels: it is ignored, with one element warning, after which `warned` is set.
 */
FrameRecordPtr carriedRecord(GstElement* element, GstBuffer* buffer, Size size, bool& warned);

/**
 * Gives the frames of one element their records: the one that a frame carries from an Elf element
 * before, or a new one of a stream of the element's own, which is a stage of its own where the
 * frame comes from an elfoffload. Belongs to the streaming thread, except own(), setStopped() and
 * srcEvent(), which any thread may call.
 */
class StreamEntry {
 public:
  explicit StreamEntry(GstElement* element) : element_(element) {}

  const StreamPtr& own() const { return own_; }

  /** The element starts. Where nobody predicts, boxes stay where they were. */
  void start(std::unique_ptr<const RpPredictor> predictor = RpPredictor::create("last"),
             History::Limits limits = {});
  /** Nobody waits in enter() from now on, or may again. */
  void setStopped(bool stopped);
  const std::atomic<bool>& stopped() const { return stopped_; }
  /** A flush stops the entry, and after it nothing of before is known. */
  void sinkEvent(GstEvent* event);
  /** What is downstream may have changed. */
  void srcEvent(GstEvent* event);

  /** carriedRecord(), where the frame is still on its way to be answered. */
  FrameRecordPtr onItsWay(GstBuffer* buffer, Size size);
  /** A record of the own stream, which is offered downstream of `srcpad` first, for the frame in
   * `buffer`, which is of `segment`. Waits for the frame's turn; unset where stopped. */
  std::optional<FrameRecord> enter(GstPad* srcpad, GstBuffer* buffer, const GstSegment& segment,
                                   Size size);

 private:
  GstElement* const element_;
  const StreamPtr own_ = Stream::create();
  std::atomic<bool> stopped_ = true;
  std::atomic<bool> offered_ = false;
  bool warned_ = false;
};

}  // namespace elf::gst
