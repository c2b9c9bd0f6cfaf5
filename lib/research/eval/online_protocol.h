// SPDX-License-Identifier: LGPL-2.1-or-later
// The honest evaluation of RP prediction: frame after frame, with what the pipeline would know.
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
  /** Share of the true boxes, 0..1, that are not detected. */
  double miss = 0.1;
  /** Standard deviation in pixels, >= 0, of the error of each side of what is detected. */
  double jitter = 2;
  /** Of misses and errors. They are the same for one seed, whatever is predicted. */
  std::uint64_t seed = 1;
  /** Frames are predicted 1 to `horizons` frames ahead; >= 1. */
  int horizons = 5;
  History::Limits history;
  /**
   * What a PaddingCalibrator aims at, in its range; each trace and horizon has it learn anew.
   * Unset: boxes are padded by `padding`.
   */
  std::optional<double> coverage = PaddingCalibrator::kDefaultCoverage;
  Padding padding;
};

/** How well frames were predicted from what was known `horizon` frames earlier. */
struct HorizonFigures {
  int horizon = 0;
  /** Frames that were predicted. */
  std::size_t frames = 0;
  /** Objects in them that were there one frame before, too, and those that were not. */
  std::size_t objects = 0;
  std::size_t objectsNew = 0;
  /**
   * Over the objects that were there one frame before: mean intersection over union of the object
   * and its prediction, neither padded nor clipped. Its prediction is the one with the highest; 0
   * where none overlaps it. Unset where there are no such objects; so are the next two.
   */
  std::optional<double> iou;
  /** Share of them that have at least 95 % of their area inside one padded box. */
  std::optional<double> coverage;
  /** The same for objects that were not there one frame before. */
  std::optional<double> coverageNew;
  /**
   * Mean over the frames of the sum of the areas of all padded boxes over the frame's area; what
   * boxes have in common counts each time. Unset where there are no frames.
   */
  std::optional<double> area;
};

struct OnlineFigures {
  /** Frames of the data, and objects in them, that are not to be ignored and lie in the frame. */
  std::size_t frames = 0;
  std::size_t objects = 0;
  /** In ascending order, from 1. */
  std::vector<HorizonFigures> horizons;
};

/**
 * Runs history, indexing, prediction and padding over each trace as the pipeline does with one
 * frame in flight. True identities reach none of them: what is detected has a box, a class and
 * score 1, and the identity that an Tracker gives it, which knows the RPs of its frame.
 *
 * Detections are what a FlawedDetector makes of the true boxes; its random numbers go on from one
 * trace to the next. Regions to be ignored are neither detected nor counted.
 *
 * The figures of horizon h are over all frames that come h or more frames after the first of their
 * trace, empty ones too: each is predicted from the history that ends h frames earlier. For
 * coverage, boxes and objects are clipped to the frame. "One frame before" is the frame before it
 * in the data. A frame that the data leave out is one that nobody looked at. Time goes by the
 * data's time stamps, where all frames of a trace have some, else by their numbers.
 *
 * Throws elf::Error naming a trace that has objects without identity.
 */
OnlineFigures evaluateOnline(std::span<const Trace> traces, const RpPredictor& predictor,
                             const OnlineOptions& options, const Watcher& watch = {});

}  // namespace elf::eval
