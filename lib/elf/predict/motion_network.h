// SPDX-License-Identifier: LGPL-2.1-or-later
// The default predictor's network: a correction to constant velocity, learned from how boxes move.
// Not installed.
//
// For each object a layer encodes what its neighbours may need to know about it. The mean of the
// others' codes (it shows the camera's own motion) joins the object's own features. Two hidden
// layers and a linear bypass give four corrections of the velocity, four widths of uncertainty, and
// the probability that the object will be there. docs/prediction.md describes other attempts.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "elf/predict/layers.h"
#include "elf/predict/motion_features.h"
#include "elf/predict/predictor.h"
#include "elf/predict/weights.h"

namespace elf {

/** Name of the predictor, also in its weights. */
inline constexpr char kDefaultPredictor[] = "default";

/** The network's output for one object. */
struct MotionForecast {
  /** Its expected box, clipped to the frame. */
  Box box;
  /** Each side lies farther out than this once in 33 times; in pixels, > 0. */
  Sides reach;
  /** Probability that it is in the frame at all. */
  float presence = 1;
};

class MotionNetwork {
 public:
  static constexpr int kContext = 16;
  static constexpr int kHidden = 64;
  static constexpr int kOutputs = 9;
  /** Normalised features are clamped to this. */
  static constexpr float kMostFeature = 5;
  /** The uncertainty's pre-activation is this much lower, for a narrow start of training. */
  static constexpr float kNarrow = 3;
  /** Most frames of extrapolation. */
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
 * nor has one that was missed in the last inferred frame, with less than 0.25. An object that is
 * seen in few of the frames that the network looks back on, because servers are slow, is predicted
 * by the Kalman filter. Its steps are as long as the time between observations.
 */
std::unique_ptr<RpPredictor> createDefaultPredictor(const Weights& weights);

}  // namespace elf
