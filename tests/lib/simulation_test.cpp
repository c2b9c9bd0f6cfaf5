// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole streams without a network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "research/eval/simulation.h"
#include "tests/support/folder.h"
#include "tests/support/trace_object.h"

namespace elf::eval {
namespace {

using ::testing::HasSubstr;
using testing::traceObject;

constexpr Size kFrame{640, 480};
constexpr Box kThere{40, 40, 140, 140};
constexpr Box kNew{440, 300, 500, 420};

/** One object from the beginning on, and another from frame `comes` on; both stand still. */
std::vector<Trace> videoWith(int comes, int frames = 30) {
  Trace trace{"video", {}};
  for (int number = 0; number < frames; ++number) {
    TraceFrame frame{number, kFrame, {traceObject(1, kThere)}};
    if (number >= comes) frame.objects.push_back(traceObject(2, kNew));
    trace.frames.push_back(std::move(frame));
  }
  return {std::move(trace)};
}

SimulationOptions optionsWithoutDiscovery() {
  SimulationOptions options;
  options.speeds = {1};
  options.planner.discovery.scanInterval = 0;
  options.bitsPerSecond = 8e6;
  options.frameSeconds = 0.3;
  options.requestSeconds = 0.01;
  return options;
}

SimulationFigures simulateWith(const std::vector<Trace>& traces, const SimulationOptions& options,
                               const Watcher& watch = {}) {
  return simulate(traces, *RpPredictor::create("last"), options, watch);
}

TEST(Simulation, ColdStartWaitsForTheWholeFrameAndTheRestForTheObjectOnly) {
  constexpr int kNever = 100;
  constexpr double kArea = 640 * 480;
  std::vector<double> times;
  std::vector<std::size_t> rps;
  const SimulationFigures figures =
      simulateWith(videoWith(kNever, 10), optionsWithoutDiscovery(), [&](const Scene& scene) {
        times.push_back(scene.planned->plan.makespan);
        rps.push_back(scene.rps.size());
        EXPECT_EQ(scene.truth, std::vector{kThere});
      });
  ASSERT_EQ(times.size(), 10U);
  const double whole = 0.01 + 0.3 + 0.25 * kArea * 8 / 8e6;
  EXPECT_NEAR(times[0], whole, 1e-9);
  EXPECT_EQ(rps[0], 0U);
  for (std::size_t i = 1; i < times.size(); ++i) {
    EXPECT_EQ(rps[i], 1U);
    EXPECT_LT(times[i], 0.25 * whole);
  }
  EXPECT_EQ(figures.frames, 10U);
  EXPECT_EQ(figures.objects, 10U);
  EXPECT_NEAR(figures.wholeLatencyMs, 1e3 * whole, 1e-6);
  EXPECT_NEAR(figures.speedup, figures.wholeLatencyMs / figures.latencyMs.mean, 1e-9);
  EXPECT_NEAR(figures.wholeBytes, 0.25 * kArea, 1e-6);
  EXPECT_NEAR(figures.bytes, figures.pixels * figures.wholeBytes, 1);
  EXPECT_EQ(figures.discoveryPixels, 0);
  EXPECT_EQ(figures.accuracy.f1, 1);
  EXPECT_EQ(figures.wholeAccuracy.f1, 1);
  EXPECT_EQ(figures.appeared, 0U) << "the first frame's objects do not appear";
}

TEST(Simulation, TwoServersShareTheColdStartByTheirSpeed) {
  SimulationOptions options = optionsWithoutDiscovery();
  options.speeds = {1, 0.5};
  options.requestSeconds = 0;
  options.bytesPerPixel = 0;
  double first = 0;
  simulateWith(videoWith(0, 1), options,
               [&](const Scene& scene) { first = scene.planned->plan.makespan; });
  EXPECT_LT(first, 0.25) << "the slow one has a third at most";
  EXPECT_GE(first, 0.2);
}

TEST(Simulation, WithoutDiscoveryWhatAppearsIsNeverFound) {
  const SimulationFigures figures = simulateWith(videoWith(10), optionsWithoutDiscovery());
  EXPECT_EQ(figures.appeared, 1U);
  EXPECT_EQ(figures.neverFound, 1U);
  EXPECT_EQ(figures.delay.mean, 20) << "as long as it was there";
  EXPECT_NEAR(figures.accuracy.recall, 30.0 / 50, 1e-9);
  EXPECT_EQ(figures.accuracy.precision, 1);
  EXPECT_EQ(figures.wholeAccuracy.recall, 1);
}

TEST(Simulation, ScansFindWhatAppearsWithinTwoRoundsAndCostPixels) {
  // In one round it may lie across the edge of two tiles.
  for (const int interval : {1, 4, 10}) {
    SimulationOptions options = optionsWithoutDiscovery();
    options.planner.discovery.scanInterval = interval;
    const SimulationFigures figures = simulateWith(videoWith(7, 60), options);
    EXPECT_EQ(figures.neverFound, 0U) << interval;
    EXPECT_LT(figures.delay.mean, 2 * interval) << interval;
    EXPECT_GT(figures.discoveryPixels, 0.5 / interval) << interval;
    EXPECT_LT(figures.discoveryPixels, figures.pixels) << interval;
  }
}

TEST(Simulation, LowResolutionFramesFindWhatTheDetectorSeesInThem) {
  SimulationOptions options = optionsWithoutDiscovery();
  options.planner.lrcInterval = 5;
  options.planner.scale = false;
  EXPECT_LE(simulateWith(videoWith(8), options).delay.mean, 4);
  EXPECT_EQ(simulateWith(videoWith(8), options).neverFound, 0U);
  // 120 pixels high, it is 48 in them.
  options.rules.objectSize = 49;
  const SimulationFigures figures = simulateWith(videoWith(8), options);
  EXPECT_EQ(figures.neverFound, 1U);
  EXPECT_EQ(figures.wholeAccuracy.recall, 1) << "in whole frames it is large enough";
}

TEST(Simulation, ChangesInThePicturesShowWhatAppearsAtOnce) {
  constexpr int kComes = 12, kFrames = 20;
  testing::Folder folder;
  std::filesystem::create_directory(folder.file("video"));
  for (int number = 0; number < kFrames; ++number) {
    std::string pixels(640 * 480 * 3, '\x60');
    if (number >= kComes)
      for (int y = 300; y < 420; ++y)
        pixels.replace(static_cast<std::size_t>(3 * (640 * y + 440)), 3 * 60,
                       std::string(3 * 60, '\xe0'));
    std::ofstream(folder.file("video/" + std::to_string(100 + number) + ".ppm"), std::ios::binary)
        << "P6 640 480 255\n"
        << pixels;
  }
  FramePictures pictures(folder.path());
  SimulationOptions options = optionsWithoutDiscovery();
  options.pictures = &pictures;
  const SimulationFigures figures = simulateWith(videoWith(kComes, kFrames), options);
  EXPECT_EQ(figures.appeared, 1U);
  EXPECT_EQ(figures.neverFound, 0U);
  EXPECT_LE(figures.delay.mean, 1);
  EXPECT_LT(figures.discoveryPixels, 0.02) << "of one place in twenty frames";
  EXPECT_THROW(simulateWith(videoWith(kComes, kFrames + 1), options), Error)
      << "there is no picture of the last frame";
}

TEST(Simulation, TheSameSeedMakesTheSameStreamAndFlawsCost) {
  SimulationOptions options = optionsWithoutDiscovery();
  options.miss = 0.2;
  options.jitter = 2;
  const SimulationFigures once = simulateWith(videoWith(0), options);
  const SimulationFigures again = simulateWith(videoWith(0), options);
  EXPECT_EQ(once.latencyMs.mean, again.latencyMs.mean);
  EXPECT_EQ(once.accuracy.recall, again.accuracy.recall);
  EXPECT_LT(once.wholeAccuracy.recall, 1);
  EXPECT_LE(once.accuracy.recall, once.wholeAccuracy.recall);
}

TEST(Simulation, ALeftOutFrameIsOneThatNobodyLookedAt) {
  std::vector<Trace> traces = videoWith(0, 20);
  std::vector<TraceFrame>& frames = traces.front().frames;
  frames.erase(frames.begin() + 5, frames.begin() + 15);
  const SimulationFigures figures = simulateWith(traces, optionsWithoutDiscovery());
  EXPECT_EQ(figures.frames, 10U);
  EXPECT_EQ(figures.accuracy.recall, 1) << "both stand still, and are expected where they were";
}

TEST(Simulation, RegionsToBeIgnoredAreNeitherFoundNorMissed) {
  std::vector<Trace> traces = videoWith(0, 5);
  for (TraceFrame& frame : traces.front().frames)
    frame.objects.push_back(traceObject(10, {200, 200, 300, 300}, true));
  const SimulationFigures figures = simulateWith(traces, optionsWithoutDiscovery());
  EXPECT_EQ(figures.objects, 10U);
  EXPECT_EQ(figures.accuracy.f1, 1);
}

TEST(Simulation, WhatItCannotRunNamesTheReason) {
  const auto whyNot = [](const std::vector<Trace>& traces, const SimulationOptions& options) {
    try {
      simulateWith(traces, options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  std::vector<Trace> nameless = videoWith(0, 2);
  nameless.front().frames[1].objects[0].id = TraceObject::kUnknownId;
  EXPECT_THAT(whyNot(nameless, optionsWithoutDiscovery()), HasSubstr("video"));
  SimulationOptions options = optionsWithoutDiscovery();
  options.speeds.clear();
  EXPECT_THAT(whyNot(videoWith(0), options), HasSubstr("speeds"));
  options = optionsWithoutDiscovery();
  options.partitioner = "pizza";
  EXPECT_THAT(whyNot(videoWith(0), options), HasSubstr("pizza"));
}

}  // namespace
}  // namespace elf::eval
