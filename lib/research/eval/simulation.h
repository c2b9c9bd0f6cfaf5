// SPDX-License-Identifier: LGPL-2.1-or-later
// Simulates whole streams without a network: prediction, partition, discovery and merge with
// servers that are only cost models.
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
  /** The speed of each server relative to one that needs `frameSeconds`, > 0. */
  std::vector<double> speeds{1, 1};
  /** The time of a server of speed 1 to infer a whole frame. */
  double frameSeconds = 0.3;
  /** The additional time of each request, on the link and in the server. */
  double requestSeconds = 0.005;
  /** The bit rate of each server's link. */
  double bitsPerSecond = 80e6;
  /** Of an encoded part. */
  double bytesPerPixel = 0.25;

  /** Name of the partitioner. */
  std::string partitioner = "elf";
  FramePlanner::Settings planner;
  /** `objectSize` is the height in sent pixels of the smallest object that the detector finds. */
  ModelRules rules;
  History::Limits history;
  /** As in PaddingCalibrator::setCoverage(). */
  double coverage = PaddingCalibrator::kDefaultCoverage;

  /** The FlawedDetector's parameters. */
  double miss = 0;
  double jitter = 0;
  std::uint64_t seed = 1;

  /** Pictures of the videos. Null: no pictures, and no change is seen. */
  FramePictures* pictures = nullptr;
};

struct SimulationFigures {
  std::size_t frames = 0;
  /** The time that a frame waits for its slowest server, and the time of the fastest server for the
   * whole frame. */
  Summary latencyMs;
  double wholeLatencyMs = 0;
  /** `wholeLatencyMs` over the mean latency. */
  double speedup = 0;
  /** Per frame: bytes sent, and bytes of a whole frame. */
  double bytes = 0;
  double wholeBytes = 0;
  /** Per frame, in frames: all pixels sent, and the difference to those that the partitioner sends
   * for the RPs alone. */
  double pixels = 0;
  double discoveryPixels = 0;

  /** Objects of the truth in all frames. */
  std::size_t objects = 0;
  /** Reported detections against the truth, at an intersection over union of 0.5, and the same for
   * the detector on whole frames. */
  Figures accuracy;
  Figures wholeAccuracy;

  /** Objects that appear after the first frame of their trace. */
  std::size_t appeared = 0;
  /** Frames from an object's appearance until it is reported, or until it leaves. */
  Summary delay;
  /** Objects that left without being reported. */
  std::size_t neverFound = 0;
};

/**
 * Runs each trace, frame after frame with one frame in flight, through the classes of the pipeline
 * itself: history and predictor, calibrated padding, FramePlanner, mergeAnswers(), Tracker. Cost
 * models, which the planner knows, replace the servers: parts of one server are answered one after
 * the other. A FlawedDetector replaces the network: a part shows the piece of an object's box that
 * is in it, from 30 % of the box on, unless it is too small for the detector at the part's scale.
 *
 * A frame that the data leave out was not inferred. Throws elf::Error naming a trace whose objects
 * have no identities, `speeds` if it is empty, or as Partitioner::create() and FramePictures do.
 * `watch` gets each frame with its truth, RPs and plan. Times are in seconds.
 */
SimulationFigures simulate(std::span<const Trace> traces, const RpPredictor& predictor,
                           const SimulationOptions& options, const Watcher& watch = {});

}  // namespace elf::eval
