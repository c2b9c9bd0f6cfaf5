// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole pipelines against two servers in this process, on a ball that moves.
#pragma once

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/blob_model.h"

namespace elf::testing {

inline constexpr int kFrames = 40;

inline const std::string kBall =
    "videotestsrc pattern=ball num-buffers=" + std::to_string(kFrames) +
    " ! video/x-raw,format=I420,width=320,height=240,framerate=30/1";

/** A pipeline that ends in an appsink called `out`. */
class Pipeline {
 public:
  explicit Pipeline(const std::string& launch) {
    GError* error = nullptr;
    pipeline_ = gst_parse_launch(launch.c_str(), &error);
    if (error) ADD_FAILURE() << error->message;
    g_clear_error(&error);
    sink_ = gst_bin_get_by_name(GST_BIN(pipeline_), "out");
  }
  ~Pipeline() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(sink_);
    gst_object_unref(pipeline_);
  }
  GstElement* get() const { return pipeline_; }
  void play() { gst_element_set_state(pipeline_, GST_STATE_PLAYING); }
  void stop() { gst_element_set_state(pipeline_, GST_STATE_NULL); }

  /** The next frame's record; unset at the end, and on an error, which fails the test. */
  std::optional<FrameRecord> next() {
    GstSample* sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink_), 20 * GST_SECOND);
    if (!sample) {
      EXPECT_TRUE(gst_app_sink_is_eos(GST_APP_SINK(sink_))) << "no frame came";
      return std::nullopt;
    }
    pts_ = GST_BUFFER_PTS(gst_sample_get_buffer(sample));
    GstVideoInfo info;
    if (gst_video_info_from_caps(&info, gst_sample_get_caps(sample)))
      size_ = {info.width, info.height};
    const FrameRecordPtr record = elf::gst::getRecord(gst_sample_get_buffer(sample));
    gst_sample_unref(sample);
    return record ? *record : FrameRecord{};
  }
  std::vector<FrameRecord> all() {
    std::vector<FrameRecord> records;
    while (auto record = next()) records.push_back(std::move(*record));
    return records;
  }
  /** Of the last frame. */
  GstClockTime pts() const { return pts_; }
  /** What the caps of the last frame say. */
  Size size() const { return size_; }

  /** The element of that name; the caller owns it. */
  GstElement* element(const char* name) const {
    return gst_bin_get_by_name(GST_BIN(pipeline_), name);
  }

  /** The next message of `type`, or null after 20 s. */
  GstMessage* await(GstMessageType type) {
    GstBus* bus = gst_element_get_bus(pipeline_);
    GstMessage* message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, type);
    gst_object_unref(bus);
    return message;
  }

 private:
  GstElement* pipeline_ = nullptr;
  GstElement* sink_ = nullptr;
  GstClockTime pts_ = GST_CLOCK_TIME_NONE;
  Size size_;
};

class ElfPipeline : public ::testing::Test {
 protected:
  std::string servers() const { return a_->url() + "," + b_->url(); }
  std::string offload(const std::string& properties = "") const {
    return "elfoffload model=blob servers=" + servers() + " " + properties;
  }
  std::string elf(const std::string& properties = "") const {
    return " ! elfrppredict ! elfpartition ! " + offload(properties) + " ! elfmerge ! ";
  }

  std::unique_ptr<Server> a_ = startBlobServer();
  std::unique_ptr<Server> b_ = startBlobServer();
};

inline const std::string kSink = "appsink name=out sync=false max-buffers=2";

}  // namespace elf::testing
