// SPDX-License-Identifier: LGPL-2.1-or-later
// GstHarness as an object, and frames for it. Its source waits, as a file does, until it is live.
#pragma once

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <atomic>
#include <string>

namespace elf::testing {

/** A harness around one element, or several in a row; torn down by the destructor. */
class Harness {
 public:
  /** `launch` are the elements with their properties, as gst-launch takes them; several of them are
   * in a bin. */
  explicit Harness(const std::string& launch) {
    GstElement* element = launch.find('!') == std::string::npos
                              ? gst_parse_launch(launch.c_str(), nullptr)
                              : gst_parse_bin_from_description(launch.c_str(), TRUE, nullptr);
    if (g_object_is_floating(element)) gst_object_ref_sink(element);
    harness_ = gst_harness_new_with_element(element, "sink", "src");
    gst_object_unref(element);
    // GstHarness is live by itself.
    gst_pad_add_probe(
        harness_->srcpad, GST_PAD_PROBE_TYPE_QUERY_UPSTREAM,
        [](GstPad*, GstPadProbeInfo* info, gpointer self) {
          GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
          if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return GST_PAD_PROBE_OK;
          const auto* harness = static_cast<Harness*>(self);
          gst_query_set_latency(query, harness->live_, harness->least_, harness->most_);
          return GST_PAD_PROBE_HANDLED;
        },
        this, nullptr);
  }
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;
  ~Harness() { gst_harness_teardown(harness_); }

  GstHarness* get() const { return harness_; }
  GstElement* element() const { return harness_->element; }

  /** Of several. */
  GstElement* named(const char* name) const {
    GstElement* found = gst_bin_get_by_name(GST_BIN(element()), name);
    gst_object_unref(found);  // the bin holds it
    return found;
  }

  /** What the source says of itself; before the first frame. */
  void setLatency(bool live, GstClockTime least, GstClockTime most = GST_CLOCK_TIME_NONE) {
    live_ = live;
    least_ = least;
    most_ = most;
  }

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
  std::atomic<bool> live_ = false;
  std::atomic<GstClockTime> least_ = 0, most_ = GST_CLOCK_TIME_NONE;
};

}  // namespace elf::testing
