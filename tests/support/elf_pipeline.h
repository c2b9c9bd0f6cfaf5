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

/** A pipeline that ends in an appsink, or in several. */
class Pipeline {
 public:
  /** `sink` is the name of the appsink that next() and all() read. */
  explicit Pipeline(const std::string& launch, const char* sink = "out") {
    GError* error = nullptr;
    pipeline_ = gst_parse_launch(launch.c_str(), &error);
    if (error) ADD_FAILURE() << error->message;
    g_clear_error(&error);
    sink_ = gst_bin_get_by_name(GST_BIN(pipeline_), sink);
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
  std::optional<FrameRecord> next() { return next(sink_); }
  std::vector<FrameRecord> all() { return all(sink_); }
  /** Those of another appsink, of that name. */
  std::vector<FrameRecord> allOf(const char* name) {
    GstElement* sink = element(name);
    std::vector<FrameRecord> records = all(sink);
    gst_object_unref(sink);
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
  std::optional<FrameRecord> next(GstElement* sink) {
    GstSample* sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), 20 * GST_SECOND);
    if (!sample) {
      EXPECT_TRUE(gst_app_sink_is_eos(GST_APP_SINK(sink))) << "no frame came";
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
  std::vector<FrameRecord> all(GstElement* sink) {
    std::vector<FrameRecord> records;
    while (auto record = next(sink)) records.push_back(std::move(*record));
    return records;
  }

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
