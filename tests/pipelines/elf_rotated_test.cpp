// SPDX-License-Identifier: LGPL-2.1-or-later
// Rotated boxes from the model to the end of the pipeline, on a bar that moves and turns.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "elf/server/backends.h"
#include "tests/support/elf_pipeline.h"
#include "tests/support/folder.h"

namespace elf::gst {
namespace {

using elf::testing::ElfPipeline;
using elf::testing::kFrames;
using elf::testing::kSink;
using elf::testing::Pipeline;

constexpr Size kSize{320, 240};
/** What a bar has at least in common with the one that was put together of pieces. */
constexpr double kJoined = 0.7;

RotatedBox barAt(int frame) {
  const auto t = static_cast<float>(frame);
  return {90 + 3 * t, 100 + t, 90, 24, 0.3F + 0.03F * t};
}

/** Finds what is bright, at its angle. */
class BarModel final : public InferenceModel {
 public:
  BarModel() : InferenceModel(barFile()) {}
  std::string platform() const override { return "bar"; }
  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement&) override {
    cv::Mat grey;
    cv::cvtColor(matOf(bgr), grey, cv::COLOR_BGR2GRAY);
    std::vector<std::vector<cv::Point>> outlines;
    cv::findContours(grey > 128, outlines, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_NONE);
    std::vector<Detection> detections;
    for (const auto& outline : outlines) {
      const cv::RotatedRect found = cv::minAreaRect(outline);
      // Of a corner nobody sees what it is of.
      if (cv::contourArea(outline) < 500) continue;
      const RotatedBox rotated{found.center.x + 0.5F, found.center.y + 0.5F, found.size.width + 1,
                               found.size.height + 1,
                               found.angle * static_cast<float>(CV_PI) / 180};
      Detection detection{.box = clip(rotated.hull(), bgr.size), .score = 1, .label = "bar"};
      detection.rotated = rotated;
      detections.push_back(std::move(detection));
    }
    return detections;
  }

 private:
  static ModelFile barFile() {
    ModelFile file;
    file.name = "blob";
    file.rules.labels = {"bar"};
    file.rules.rotated = true;
    file.rules.context = 4;
    return file;
  }
};

class ElfRotated : public ElfPipeline {
 protected:
  ElfRotated() { a_ = start(), b_ = start(); }

  static std::unique_ptr<Server> start() {
    return std::make_unique<Server>(
        std::vector<ModelFactory>{[] { return std::make_unique<BarModel>(); }}, ServerOptions{});
  }

  /** Black frames that the bar is painted into. */
  static std::string bar() {
    return "videotestsrc name=bar pattern=black num-buffers=" + std::to_string(kFrames) +
           " ! video/x-raw,format=GRAY8,width=320,height=240,framerate=30/1";
  }
  void paint(const Pipeline& pipeline) {
    GstElement* source = pipeline.element("bar");
    GstPad* pad = gst_element_get_static_pad(source, "src");
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer frame) {
          GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
          GstMapInfo map;
          gst_buffer_map(buffer, &map, GST_MAP_READWRITE);
          cv::Mat picture(kSize.height, kSize.width, CV_8U, map.data);
          // In sixteenths of a pixel, and corners of pixels rather than their middles.
          std::vector<cv::Point> corners;
          for (const Corner& corner : cornersOf(barAt((*static_cast<int*>(frame))++)))
            corners.emplace_back(std::lround(16 * (corner.x - 0.5)),
                                 std::lround(16 * (corner.y - 0.5)));
          cv::fillConvexPoly(picture, corners, 235, cv::LINE_8, 4);
          gst_buffer_unmap(buffer, &map);
          info->data = buffer;
          return GST_PAD_PROBE_OK;
        },
        &frame_, nullptr);
    gst_object_unref(pad);
    gst_object_unref(source);
  }

  int frame_ = 0;
  elf::testing::Folder folder_;
};

TEST_F(ElfRotated, BoxesComeThroughAtTheirAngleInFewerPixelsThanWholeFrames) {
  const std::string file = folder_.file("found.jsonl");
  Pipeline pipeline(bar() + " ! elfrppredict ! elfpartition ! " + offload() +
                    " ! elfmerge results-location=" + file + " ! " + kSink);
  paint(pipeline);
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  double pixels = 0;
  for (int i = 0; i < kFrames; ++i) {
    SCOPED_TRACE("frame " + std::to_string(i));
    const FrameRecord& record = records[static_cast<std::size_t>(i)];
    ASSERT_EQ(record.detections.size(), 1U);
    const Detection& found = record.detections[0];
    EXPECT_EQ(found.id, records[0].detections[0].id);
    ASSERT_TRUE(found.rotated);
    // The first frame is split over the servers, where their speed says, maybe through the bar.
    EXPECT_GT(overlapOf(*found.rotated, barAt(i)).iou, i == 0 ? kJoined : 0.85);
    if (i > 0) {
      EXPECT_GT(iou(found.box, found.rotated->hull()), 0.97);
    }
    pixels += record.plan->sentPixels();
  }
  EXPECT_LT(pixels, 0.6 * kFrames * kSize.area());
  int lines = 0;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line); ++lines)
    EXPECT_NE(line.find(R"("rotated":[)"), std::string::npos) << line;
  EXPECT_EQ(lines, kFrames);
}

TEST_F(ElfRotated, BoxesAreScaledWithTheFramesBehindElfmerge) {
  Pipeline pipeline(bar() + " ! " + offload() +
                    " ! elfmerge ! videoscale ! video/x-raw,width=160,height=120 ! " + kSink);
  paint(pipeline);
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (int i = 0; i < kFrames; ++i) {
    const auto& found = records[static_cast<std::size_t>(i)].detections;
    ASSERT_EQ(found.size(), 1U);
    ASSERT_TRUE(found[0].rotated);
    EXPECT_GT(overlapOf(*found[0].rotated, barAt(i).scaled(0.5, 0.5)).iou, 0.85) << "frame " << i;
  }
}

TEST_F(ElfRotated, InPartsThatLieSideBySideTheBarIsOneToo) {
  Pipeline pipeline(bar() + " ! elfpartition partitioner=grid ! " + offload() + " ! elfmerge ! " +
                    kSink);
  paint(pipeline);
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (int i = 0; i < kFrames; ++i) {
    SCOPED_TRACE("frame " + std::to_string(i));
    const auto& found = records[static_cast<std::size_t>(i)].detections;
    ASSERT_EQ(found.size(), 1U);
    ASSERT_TRUE(found[0].rotated);
    EXPECT_GT(overlapOf(*found[0].rotated, barAt(i)).iou, kJoined);
  }
}

}  // namespace
}  // namespace elf::gst
