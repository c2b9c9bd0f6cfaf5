// SPDX-License-Identifier: LGPL-2.1-or-later
// What stands in for the Elf elements before and behind the one that is tested.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfstream.h"
#include "tests/support/fake_end.h"
#include "tests/support/harness.h"

namespace elf::testing {

/** A stream of the test's own: an element that the harness holds goes on with its records. */
class OwnStream {
 public:
  /** Frames are of that size. */
  OwnStream(Harness& harness, Size size) : harness_(harness), size_(size) {
    stream->begin(nullptr, {});
    gst::offerStream(harness.get()->srcpad, stream);
  }

  /** The record of a new frame, for which it waits until it has its turn. */
  FrameRecord enter() const { return stream->enter(size_, std::nullopt, never_).value(); }
  /** A frame with a time stamp of `number` hundredths of a second. */
  GstBuffer* carry(int number, FrameRecord record) const {
    GstBuffer* buffer = harness_.frame(number);
    gst::setRecord(buffer, std::make_shared<const FrameRecord>(std::move(record)));
    return buffer;
  }

  const gst::StreamPtr stream = Stream::create();

 private:
  Harness& harness_;
  const Size size_;
  const std::atomic<bool> never_ = false;
};

/** `end` sends the frames of all streams that are offered downstream of the harness from now on. It
 * outlives the harness. */
inline void putBehind(Harness& harness, FakeEnd& end) {
  gst_pad_add_probe(
      harness.get()->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        const gst::StreamPtr stream = gst::parseStreamQuery(GST_PAD_PROBE_INFO_QUERY(info));
        if (!stream) return GST_PAD_PROBE_OK;
        static_cast<FakeEnd*>(data)->attach(stream, {.bounded = true, .maxInFlight = 64});
        return GST_PAD_PROBE_HANDLED;
      },
      &end, nullptr);
}

}  // namespace elf::testing
