// SPDX-License-Identifier: LGPL-2.1-or-later
// Several streams on the same servers: what one learns, the others know.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/elf_pipeline.h"
#include "tests/support/stats.h"

namespace elf::gst {
namespace {

using elf::testing::ElfPipeline;
using elf::testing::kBall;
using elf::testing::kFrames;
using elf::testing::OffloadStatsOf;
using elf::testing::Pipeline;

constexpr int kCameras = 4;

/** All parts were learned from, and each server's probe: on a machine that is busy without its
 * largest picture. */
void expectLearnedFromAll(const OffloadStatsOf& stats, guint64 parts) {
  const guint64 answers = stats.answers(0) + stats.answers(1);
  EXPECT_GE(answers, parts + 2 * 3);
  EXPECT_LE(answers, parts + 2 * 4);
}

struct Cameras : ElfPipeline {
  /** One stream, its elfoffload called "o0", its appsink "s0" for number 0. */
  std::string camera(int number) const {
    const std::string name = std::to_string(number);
    return kBall + elf("hedging=0 name=o" + name) + "appsink sync=false name=s" + name + " ";
  }

  static void expectAllFrames(Pipeline& pipeline, int camera) {
    const auto records = pipeline.allOf(("s" + std::to_string(camera)).c_str());
    ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames)) << "camera " << camera;
    for (std::size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].id, records[0].id + i);
      EXPECT_EQ(records[i].detections.size(), 1U) << "camera " << camera << ", frame " << i;
    }
  }

  static std::unique_ptr<OffloadStatsOf> statsOf(const Pipeline& pipeline, int camera) {
    GstElement* offload = pipeline.element(("o" + std::to_string(camera)).c_str());
    auto stats = std::make_unique<OffloadStatsOf>(offload);
    gst_object_unref(offload);
    return stats;
  }
};

TEST_F(Cameras, FourInOnePipelineShareTheServersAndWhatTheyCost) {
  std::string launch;
  for (int i = 0; i < kCameras; ++i) launch += camera(i);
  Pipeline pipeline(launch, "s0");
  pipeline.play();
  for (int i = 0; i < kCameras; ++i) expectAllFrames(pipeline, i);

  guint64 parts = 0;
  for (int i = 0; i < kCameras; ++i) parts += statsOf(pipeline, i)->count("parts-sent");
  const auto first = statsOf(pipeline, 0);
  ASSERT_EQ(first->servers(), 2U);
  expectLearnedFromAll(*first, parts);
  for (const std::size_t server : {0U, 1U}) {
    EXPECT_GT(5 * first->answers(server), parts) << "the work is not spread";
    EXPECT_EQ(first->cost(server, "outstanding-ms"), 0);
  }
  for (int i = 1; i < kCameras; ++i) {
    const auto other = statsOf(pipeline, i);
    for (const std::size_t server : {0U, 1U}) {
      EXPECT_EQ(other->url(server), first->url(server));
      EXPECT_EQ(other->answers(server), first->answers(server));
      for (const char* cost : {"fixed-ms", "ms-per-megapixel", "ms-per-megabyte"})
        EXPECT_EQ(other->cost(server, cost), first->cost(server, cost)) << cost;
    }
  }
}

TEST_F(Cameras, TwoPipelinesShareThemThroughTheContext) {
  Pipeline one(camera(0) + camera(1), "s0"), other(camera(2) + camera(3), "s2");
  one.play();
  GstContext* context = gst_element_get_context(one.get(), "elf.servers");
  ASSERT_NE(context, nullptr) << "the pipeline has no context";
  gst_element_set_context(other.get(), context);
  gst_context_unref(context);
  other.play();
  for (const int i : {0, 1}) expectAllFrames(one, i);
  for (const int i : {2, 3}) expectAllFrames(other, i);
  for (const std::size_t server : {0U, 1U})
    EXPECT_EQ(statsOf(one, 0)->answers(server), statsOf(other, 3)->answers(server));
}

TEST_F(Cameras, PipelinesWithoutACommonContextLearnForThemselves) {
  Pipeline one(camera(0), "s0"), other(camera(1), "s1");
  one.play();
  other.play();
  expectAllFrames(one, 0);
  expectAllFrames(other, 1);
  const auto stats = statsOf(one, 0);
  expectLearnedFromAll(*stats, stats->count("parts-sent"));
}

TEST_F(Cameras, APipelineThatIsStartedAgainKnowsItsServers) {
  Pipeline pipeline(camera(0), "s0");
  pipeline.play();
  expectAllFrames(pipeline, 0);
  const guint64 before = statsOf(pipeline, 0)->answers(0);
  pipeline.stop();
  EXPECT_EQ(statsOf(pipeline, 0)->answers(0), before) << "the last run's figures";
  pipeline.play();
  EXPECT_GE(statsOf(pipeline, 0)->answers(0), before);
  expectAllFrames(pipeline, 0);
}

}  // namespace
}  // namespace elf::gst
