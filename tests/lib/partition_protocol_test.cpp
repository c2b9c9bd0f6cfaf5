// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/partition_protocol.h"

#include <gtest/gtest.h>

namespace elf::eval {
namespace {

constexpr Size kFrame{1000, 500};
constexpr double kArea = 1000.0 * 500;

TraceObject object(Box box, bool ignored = false) {
  TraceObject made;
  made.box = box;
  made.ignored = ignored;
  return made;
}

std::vector<Trace> traceOf(std::vector<std::vector<TraceObject>> frames) {
  Trace trace{"synthetic", {}};
  for (std::vector<TraceObject>& objects : frames)
    trace.frames.push_back(
        {static_cast<std::int64_t>(trace.frames.size()), kFrame, std::move(objects)});
  return {trace};
}

/** RPs are the boxes themselves. */
PartitionOptions plain(std::vector<double> speeds) {
  return {.speeds = std::move(speeds), .fixedCost = 0.01, .padding = {.ratio = 0, .minimum = 0}};
}

PartitionFigures evaluate(const std::vector<Trace>& traces, const PartitionOptions& options,
                          const char* partitioner = "elf") {
  return evaluatePartition(traces, *Partitioner::create(partitioner), options);
}

TEST(PartitionProtocol, FiguresOfMadeFramesAreExact) {
  const auto traces = traceOf(
      {{object({0, 0, 100, 100}), object({900, 400, 1000, 500})}, {object({0, 0, 500, 500})}});
  const PartitionFigures one = evaluate(traces, plain({1}));
  EXPECT_EQ(one.frames, 2U);
  EXPECT_EQ(one.rps, 3U);
  EXPECT_EQ(one.cut, 0U);
  EXPECT_DOUBLE_EQ(one.parts, 1.5);
  EXPECT_DOUBLE_EQ(one.pixels, (0.04 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(one.makespan.mean, (0.06 + 0.51) / 2);
  EXPECT_DOUBLE_EQ(one.makespan.p95, 0.51);
  EXPECT_DOUBLE_EQ(one.lowerBound, (0.05 + 0.51) / 2);
  const PartitionFigures two = evaluate(traces, plain({1, 0.5}));
  EXPECT_DOUBLE_EQ(two.makespan.mean, (0.05 + 0.51) / 2);
  EXPECT_DOUBLE_EQ(two.lowerBound, (0.01 + 0.04 / 1.5 + 0.51) / 2);
}

TEST(PartitionProtocol, FramesWithoutBoxesAndRegionsToBeIgnoredAreLeftOut) {
  const auto traces = traceOf({{},
                               {object({0, 0, 500, 500}, true)},
                               {object({2000, 0, 2100, 500})},
                               {object({0, 0, 100, 100}), object({0, 0, 1000, 500}, true)}});
  const PartitionFigures figures = evaluate(traces, plain({1}));
  EXPECT_EQ(figures.frames, 1U);
  EXPECT_EQ(figures.rps, 1U);
  EXPECT_DOUBLE_EQ(figures.pixels, 0.02);
  EXPECT_EQ(evaluate(traceOf({{}}), plain({1})).frames, 0U);
}

TEST(PartitionProtocol, BoxesArePaddedAndClipped) {
  const auto traces = traceOf({{object({0, 100, 100, 150})}});
  PartitionOptions options = plain({1});
  options.padding = {.ratio = 0.1, .minimum = 8};
  EXPECT_DOUBLE_EQ(evaluate(traces, options).pixels, 110 * 66 / kArea);
}

TEST(PartitionProtocol, RpsThatLieWholeInNoPartAreCut) {
  // Two cells that overlap by a tenth of the frame: 0..550 and 450..1000.
  const auto traces =
      traceOf({{object({0, 0, 100, 100}), object({400, 0, 600, 100}), object({460, 0, 540, 9})}});
  EXPECT_EQ(evaluate(traces, plain({1, 1}), "grid").cut, 1U);
}

TEST(PartitionProtocol, WithAnObjectSizeLargeObjectsAreSentSmallAndTheBoundKnows) {
  // The second object stands before the first and is half as high: it needs twice the scale.
  const auto traces = traceOf({{object({0, 0, 400, 400}), object({100, 100, 200, 300})}});
  PartitionOptions options = plain({1});
  options.objectSize = 40;
  const PartitionFigures figures = evaluate(traces, options);
  EXPECT_DOUBLE_EQ(figures.lowerBound,
                   0.01 + ((400 * 400 - 100 * 200) / 64.0 + 100 * 200 / 16.0) / kArea);
  EXPECT_DOUBLE_EQ(figures.makespan.mean, 0.02 + (50 * 50 + 25 * 50) / kArea);
  EXPECT_EQ(figures.cut, 0U);
}

TEST(PartitionProtocol, ShowsEachFrameWithItsPlan) {
  const auto traces = traceOf({{object({0, 0, 100, 100})}, {}, {object({0, 0, 500, 500})}});
  std::vector<Scene> scenes;
  evaluatePartition(traces, *Partitioner::create("elf"), plain({1, 1}),
                    [&](const Scene& scene) { scenes.push_back(scene); });
  ASSERT_EQ(scenes.size(), 2U);
  EXPECT_EQ(scenes[1].frame, 2);
  EXPECT_EQ(scenes[1].rps.size(), 1U);
  ASSERT_TRUE(scenes[1].planned);
  EXPECT_EQ(scenes[1].planned->servers, 2U);
  EXPECT_EQ(scenes[1].planned->plan.parts.size(), 1U);
  EXPECT_EQ(scenes[1].planned->partTimes, std::vector<double>{0.51});
}

}  // namespace
}  // namespace elf::eval
