// SPDX-License-Identifier: LGPL-2.1-or-later
// The online evaluation of RP prediction: frame after frame, with what the pipeline would know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "elf/predict/history.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "research/data/traces.h"
#include "research/eval/scene.h"

namespace elf::eval {

struct OnlineOptions {
  /** Share of the true boxes, 0..1, that are missed. */
  double miss = 0.1;
  /** Standard deviation in pixels, >= 0, of the error of each side of a detection. */
  double jitter = 2;
  /** Of misses and errors, which depend only on it, not on the prediction. */
  std::uint64_t seed = 1;
  /** Frames are predicted 1 to `horizons` frames ahead, >= 1. */
  int horizons = 5;
  History::Limits history;
  /**
   * The goal of a PaddingCalibrator, in its range. It learns anew for each trace and horizon.
   * Unset: boxes are padded by `padding`.
   */
  std::optional<double> coverage = PaddingCalibrator::kDefaultCoverage;
  Padding padding;
};

/** The quality of predictions from what was known `horizon` frames earlier. */
struct HorizonFigures {
  int horizon = 0;
  /** Predicted frames. */
  std::size_t frames = 0;
  /** Objects in them that were present one frame before, and those that were not. */
  std::size_t objects = 0;
  std::size_t objectsNew = 0;
  /**
   * Over the objects that were present one frame before: mean intersection over union of the object
   * and its prediction, neither padded nor clipped. Its prediction is the one with the highest. 0
   * if none overlaps it. Unset without such objects, like the next two.
   */
  std::optional<double> iou;
  /** Share of them with at least 95 % of their area inside one padded box. */
  std::optional<double> coverage;
  /** The same for objects that were not present one frame before. */
  std::optional<double> coverageNew;
  /**
   * Mean over the frames of the sum of the areas of all padded boxes over the frame's area. Shared
   * areas count each time. Unset without frames.
   */
  std::optional<double> area;
};

struct OnlineFigures {
  /** Frames of the data, and objects in them that are not ignored and lie in the frame. */
  std::size_t frames = 0;
  std::size_t objects = 0;
  /** In ascending order, from 1. */
  std::vector<HorizonFigures> horizons;
};

/**
 * Runs history, indexing, prediction and padding over each trace as the pipeline does with one
 * frame in flight. They do not get true identities: a detection has a box, a class and score 1, and
 * the identity from a Tracker, which knows the RPs of its frame.
 *
 * A FlawedDetector makes the detections from the true boxes. Its random numbers continue from one
 * trace to the next. Ignored regions are neither detected nor counted.
 *
 * The figures of horizon h are over all frames at least h frames after the first of their trace,
 * empty ones too. Each is predicted from the history that ends h frames earlier. For coverage,
 * boxes and objects are clipped to the frame. "One frame before" is the previous frame in the data.
 * A frame that the data leave out was not inferred. Time follows the data's time stamps if all
 * frames of a trace have some, else their numbers.
 *
 * Throws elf::Error naming a trace with objects without identity.
 */
OnlineFigures evaluateOnline(std::span<const Trace> traces, const RpPredictor& predictor,
                             const OnlineOptions& options, const Watcher& watch = {});

}  // namespace elf::eval
