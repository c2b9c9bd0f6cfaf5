// SPDX-License-Identifier: LGPL-2.1-or-later
// The default predictor's network: a correction to constant velocity, learned from how boxes move.
// Not installed.
//
// For each object a layer codes what its neighbours may need to know of it; the mean over the
// others' codes (the camera's own motion shows there) joins the object's own features. Two hidden
// layers and a linear bypass give four corrections of the velocity, four widths of uncertainty, and
// whether the object will be there. docs/prediction.md tells what else was tried.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "elf/predict/layers.h"
#include "elf/predict/motion_features.h"
#include "elf/predict/predictor.h"
#include "elf/predict/weights.h"

namespace elf {

/** Name of the predictor, and of what its weights are for. */
inline constexpr char kDefaultPredictor[] = "default";

/** What the network says of one object. */
struct MotionForecast {
  /** Where it will be, clipped to the frame. */
  Box box;
  /** Each side goes farther out than this once in 33 times; in pixels, > 0. */
  Sides reach;
  /** Probability that it is in the frame at all. */
  float presence = 1;
};

class MotionNetwork {
 public:
  static constexpr int kContext = 16;
  static constexpr int kHidden = 64;
  static constexpr int kOutputs = 9;
  /** Normalised features are held within this. */
  static constexpr float kMostFeature = 5;
  /** The uncertainty's pre-activation is this much lower, for a narrow start of training. */
  static constexpr float kNarrow = 3;
  /** Nothing is extrapolated farther than so many frames. */
  static constexpr float kMostAhead = 20;

  /** Throws elf::Error as Weights::tensor. */
  explicit MotionNetwork(const Weights& weights);

  /** All objects of one scene, in their order. May be used from several threads. */
  std::vector<MotionForecast> run(std::span<const MotionWindow> scene, Size frame) const;

 private:
  std::vector<float> mean_;
  std::vector<float> deviation_;
  Linear context_;
  Linear first_;
  Linear second_;
  Linear output_;
  Linear bypass_;
};

/**
 * The predictor. An object that is there with a probability of less than 0.05 has no prediction;
 * nor has one that was missed in the last frame that looked, with less than 0.25. An object that is
 * seen in few of the frames that the network looks back on, as where servers are slow, is predicted
 * by the Kalman filter, whose steps are as long as the time between observations.
 */
std::unique_ptr<RpPredictor> createDefaultPredictor(const Weights& weights);

}  // namespace elf
