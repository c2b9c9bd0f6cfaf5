// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole streams without a network: prediction, partition, discovery and merge against servers that
// only exist as cost models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elf/agreement/agreement.h"
#include "elf/agreement/statistics.h"
#include "elf/discovery/frame_planner.h"
#include "elf/predict/history.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "elf/types/model_rules.h"
#include "research/data/traces.h"
#include "research/eval/frame_pictures.h"
#include "research/eval/scene.h"

namespace elf::eval {

struct SimulationOptions {
  /** One for each server: how fast it is compared with a server that needs `frameSeconds`; > 0. */
  std::vector<double> speeds{1, 1};
  /** What a server of speed 1 takes to infer a whole frame. */
  double frameSeconds = 0.3;
  /** What each request takes besides, on the way and in the server. */
  double requestSeconds = 0.005;
  /** Of the link of each server. */
  double bitsPerSecond = 80e6;
  /** Of an encoded part. */
  double bytesPerPixel = 0.25;

  /** Name of the partitioner. */
  std::string partitioner = "elf";
  FramePlanner::Settings planner;
  /** `objectSize` is the height in sent pixels of the smallest object that the detector finds. */
  ModelRules rules;
  History::Limits history;
  /** As PaddingCalibrator::setCoverage(). */
  double coverage = PaddingCalibrator::kDefaultCoverage;

  /** Of the FlawedDetector. */
  double miss = 0;
  double jitter = 0;
  std::uint64_t seed = 1;

  /** Pictures of the videos; null: there are none, and no change is seen. */
  FramePictures* pictures = nullptr;
};

struct SimulationFigures {
  std::size_t frames = 0;
  /** How long a frame waits for its slowest server, and what the fastest server would take for all
   * of it. */
  Summary latencyMs;
  double wholeLatencyMs = 0;
  /** Mean of `whole` over mean. */
  double speedup = 0;
  /** Of a frame: what was sent, and what a whole frame would be. */
  double bytes = 0;
  double wholeBytes = 0;
  /** Of a frame, in frames: all that was sent, and how much more that is than what the partitioner
   * sends for the RPs alone. */
  double pixels = 0;
  double discoveryPixels = 0;

  /** Objects of the truth in all frames. */
  std::size_t objects = 0;
  /** What is reported against the truth, with an intersection over union of 0.5; and what the
   * detector finds in whole frames. */
  Figures accuracy;
  Figures wholeAccuracy;

  /** Objects that come into view after the first frame of their trace. */
  std::size_t appeared = 0;
  /** Frames from coming into view until being reported, or until leaving. */
  Summary delay;
  /** Those that left without being reported. */
  std::size_t neverFound = 0;
};

/**
 * Runs each trace, frame after frame with one frame in flight, through the very classes of the
 * pipeline: history and predictor, calibrated padding, FramePlanner, mergeAnswers(), Tracker. In
 * the place of servers stand their cost models, which the planner knows: parts of one server are
 * answered one after the other. In the place of a network stands a FlawedDetector: a part shows of
 * an object what of its box is in it, from 30 % of the box on, unless it is smaller than the
 * detector can see at the part's scale.
 *
 * A frame that the data leave out is one that nobody looked at. Throws elf::Error naming a trace
 * whose objects have no identities, `speeds` if there are none, or as Partitioner::create() and
 * FramePictures do. `watch` gets each frame with its truth, RPs and plan; times are in seconds.
 */
SimulationFigures simulate(std::span<const Trace> traces, const RpPredictor& predictor,
                           const SimulationOptions& options, const Watcher& watch = {});

}  // namespace elf::eval
