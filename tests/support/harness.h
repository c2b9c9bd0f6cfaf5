// SPDX-License-Identifier: LGPL-2.1-or-later
// GstHarness as an object, and frames for it.
#pragma once

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <string>

namespace elf::testing {

/** A harness around one element; torn down by the destructor. */
class Harness {
 public:
  /** `launch` is the element with its properties, as gst-launch takes it. */
  explicit Harness(const std::string& launch) {
    GstElement* element = gst_parse_launch(launch.c_str(), nullptr);
    harness_ = gst_harness_new_with_element(element, "sink", "src");
    gst_object_unref(element);
  }
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;
  ~Harness() { gst_harness_teardown(harness_); }

  GstHarness* get() const { return harness_; }
  GstElement* element() const { return harness_->element; }

  /** Sets the caps of all frames that follow. */
  void setVideo(int width, int height, const char* format = "I420") {
    gst_video_info_set_format(&info_, gst_video_format_from_string(format),
                              static_cast<guint>(width), static_cast<guint>(height));
    gst_harness_set_src_caps(harness_, gst_video_info_to_caps(&info_));
  }

  /** A frame of zeros of the size set, with a time stamp of `number` hundredths of a second. */
  GstBuffer* frame(int number) const {
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info_), nullptr);
    gst_buffer_memset(buffer, 0, 0, GST_VIDEO_INFO_SIZE(&info_));
    GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(number) * 10 * GST_MSECOND;
    return buffer;
  }

  GstFlowReturn push(GstBuffer* buffer) { return gst_harness_push(harness_, buffer); }
  /** The next buffer that came out; the caller owns it. */
  GstBuffer* pull() { return gst_harness_pull(harness_); }

 private:
  GstHarness* harness_ = nullptr;
  GstVideoInfo info_{};
};

}  // namespace elf::testing
