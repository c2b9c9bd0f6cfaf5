// SPDX-License-Identifier: LGPL-2.1-or-later
// Two Elf stages in a row, each with a model of its own.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "gst/elfvision/gstelfresult.h"
#include "tests/support/elf_pipeline.h"
#include "tests/support/folder.h"

namespace elf::gst {
namespace {

using elf::testing::ElfPipeline;
using elf::testing::kBall;
using elf::testing::kFrames;
using elf::testing::kSink;
using elf::testing::Pipeline;

constexpr const char* kDrawNothing = "draw-boxes=false draw-labels=false";

class ElfStages : public ElfPipeline {
 protected:
  std::string stage(const std::string& merge = kDrawNothing) const {
    return " ! elfrppredict ! elfpartition ! " + offload() + " ! elfmerge " + merge;
  }

  static std::vector<std::string> linesOf(const std::string& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  static std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
      ++found;
    return found;
  }

  /** Counts the regions of interest of each stage; -1 is those of no stage. */
  static void countRegions(const Pipeline& pipeline, std::map<int, int>& regions) {
    GstElement* sink = pipeline.element("out");
    GstPad* pad = gst_element_get_static_pad(sink, "sink");
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          gpointer state = nullptr;
          while (GstMeta* meta =
                     gst_buffer_iterate_meta_filtered(GST_PAD_PROBE_INFO_BUFFER(info), &state,
                                                      GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))
            ++(*static_cast<std::map<int, int>*>(
                data))[stageOf(reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta)).value_or(-1)];
          return GST_PAD_PROBE_OK;
        },
        &regions, nullptr);
    gst_object_unref(pad);
    gst_object_unref(sink);
  }

  /** Each frame's detections, and regions of interest, of both stages: one ball. */
  static void expectBoth(const FrameRecord& record) {
    EXPECT_EQ(record.stage, 1);
    EXPECT_EQ(record.detections.size(), 1U);
    ASSERT_TRUE(record.before);
    EXPECT_EQ(record.before->stage, 0);
    EXPECT_EQ(record.before->detections.size(), 1U);
    EXPECT_FALSE(record.before->before);
  }

  elf::testing::Folder folder_;
};

TEST_F(ElfStages, EachFrameHasWhatBothFound) {
  for (const char* between :
       {"", " ! queue", " ! queue ! videorate ! video/x-raw,framerate=45/1 ! queue"}) {
    SCOPED_TRACE(between);
    const std::string file = folder_.file("results" + std::to_string(std::string(between).size()));
    Pipeline pipeline(kBall + stage() + between +
                      stage(std::string(kDrawNothing) + " results-location=" + file) + " ! " +
                      kSink);
    std::map<int, int> regions;
    countRegions(pipeline, regions);
    pipeline.play();
    const auto records = pipeline.all();
    EXPECT_GE(records.size(), static_cast<std::size_t>(kFrames));
    for (const FrameRecord& record : records) expectBoth(record);
    const auto frames = static_cast<int>(records.size());
    EXPECT_EQ(regions, (std::map<int, int>{{0, frames}, {1, frames}}));
    const auto lines = linesOf(file);
    ASSERT_EQ(lines.size(), records.size());
    for (const std::string& line : lines) {
      EXPECT_EQ(count(line, R"("stage":1)"), 2U) << line << ": the frame's, and its detection's";
      EXPECT_EQ(count(line, R"("stage":0)"), 1U) << line;
    }
  }
}

TEST_F(ElfStages, EachLearnsFromItsOwnAnswersAlsoAfterASeek) {
  Pipeline pipeline(kBall + stage() + " ! queue" + stage() + " ! " + kSink);
  pipeline.play();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10; ++i) {
      const auto record = pipeline.next();
      ASSERT_TRUE(record);
      expectBoth(*record);
      if (i < 5) continue;
      for (const FrameRecord* each : {&*record, record->before.get()}) {
        EXPECT_EQ(each->horizon, 1);
        ASSERT_TRUE(each->rps.has_value());
        EXPECT_EQ(each->rps->size(), 1U);
      }
    }
    if (round == 0) {
      ASSERT_TRUE(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
    }
  }
}

TEST_F(ElfStages, TheSecondLooksWhereTheFirstFoundSomething) {
  const auto looking = [&](const std::string& label) {
    return kBall + stage() + " ! elfpartition scan-interval=0 change-threshold=0 " +
           "regions=upstream regions-label=" + label + " ! " + offload() + " ! elfmerge ! " + kSink;
  };
  Pipeline pipeline(looking("blob"));
  pipeline.play();
  const auto records = pipeline.all();
  EXPECT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (const FrameRecord& record : records) {
    expectBoth(record);
    ASSERT_EQ(record.plan->parts.size(), 1U);
    EXPECT_LT(record.plan->parts[0].rect.area(), 100 * 100);
  }
  Pipeline other(looking("face"));
  other.play();
  for (const FrameRecord& record : other.all()) {
    EXPECT_TRUE(record.plan->parts.empty());
    EXPECT_TRUE(record.detections.empty());
    EXPECT_TRUE(record.inferred);
    EXPECT_EQ(record.before->detections.size(), 1U);
  }
}

TEST_F(ElfStages, WhereTheSecondGetsNoAnswerItInventsNothing) {
  Pipeline pipeline(kBall + stage() + " ! elfpartition regions=upstream ! elfoffload model=blob " +
                    "servers=http://127.0.0.1:1 deadline=50 ! elfmerge ! " + kSink);
  pipeline.play();
  const auto records = pipeline.all();
  EXPECT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (const FrameRecord& record : records) {
    EXPECT_TRUE(record.detections.empty()) << "a place where something may be is no detection";
    EXPECT_EQ(record.before->detections.size(), 1U);
  }
}

/** Each scaler, and what it is to make of the ball's frames of 320x240. */
constexpr const char* kScales[] = {
    "videoscale ! video/x-raw,width=200,height=150",
    "videoscale ! video/x-raw,width=320,height=400",
    "videoscale ! video/x-raw,width=320,height=400,pixel-aspect-ratio=1/1",
    "videoscale ! video/x-raw,width=500,height=200,pixel-aspect-ratio=1/1",
    "videoscale ! video/x-raw,width=320,height=240,pixel-aspect-ratio=3/2",
};

TEST_F(ElfStages, FramesMayBeScaledBetweenThem) {
  for (const std::string scale : kScales) {
    SCOPED_TRACE(scale);
    Pipeline pipeline(kBall + stage() + " ! " + scale + stage() + " ! " + kSink);
    std::map<int, int> regions;
    countRegions(pipeline, regions);
    pipeline.play();
    const auto records = pipeline.all();
    EXPECT_EQ(records.size(), static_cast<std::size_t>(kFrames));
    for (const FrameRecord& record : records) {
      expectBoth(record);
      if (HasFailure()) return;
      EXPECT_GT(iou(record.detections[0].box, record.before->detections[0].box), 0.7);
    }
    EXPECT_EQ(regions, (std::map<int, int>{{0, kFrames}, {1, kFrames}}));
  }
}

TEST_F(ElfStages, TheSecondLooksWhereTheFirstFoundSomethingInFramesThatAreScaled) {
  for (const std::string scale : kScales) {
    SCOPED_TRACE(scale);
    const auto second = [&](const std::string& regions) {
      return kBall + stage() + " ! " + scale +
             " ! elfpartition scan-interval=0 change-threshold=0 regions=" + regions + " ! " +
             offload() + " ! elfmerge ! " + kSink;
    };
    Pipeline there(second("upstream"));
    there.play();
    for (const FrameRecord& record : there.all()) {
      // It may not be whole in it to the pixel.
      ASSERT_EQ(record.plan->parts.size(), 1U);
      const Rect& part = record.plan->parts[0].rect;
      EXPECT_LT(part.area(), record.size.area() / 3);
      const Box& found = record.before->detections.at(0).box;
      EXPECT_GT(intersect(toBox(part), found).area(), 0.99 * found.area());
    }
    Pipeline everywhere(second("auto"));
    everywhere.play();
    for (const FrameRecord& record : everywhere.all())
      EXPECT_FALSE(record.rps.has_value()) << "what the first stage found is no RP";
  }
}

TEST_F(ElfStages, AnElfmergeBehindAScalerGivesEachDetectionOneRegion) {
  Pipeline pipeline(kBall + stage() + stage() + " ! " + kScales[2] + " ! elfmerge ! " + kSink);
  std::map<int, int> regions;
  countRegions(pipeline, regions);
  pipeline.play();
  EXPECT_EQ(pipeline.all().size(), static_cast<std::size_t>(kFrames));
  EXPECT_EQ(regions, (std::map<int, int>{{0, kFrames}, {1, kFrames}}));
}

}  // namespace
}  // namespace elf::gst
