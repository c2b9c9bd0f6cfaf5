// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/predictor.h"

#include <algorithm>

#include "elf/base/error.h"
#include "elf/predict/lstm_predictors.h"
#include "elf/predict/motion_network.h"
#include "elf/predict/motion_predictors.h"

namespace elf {

std::span<const Choice> predictorChoices() {
  static constexpr Choice kChoices[] = {
      {kDefaultPredictor, "Learned corrections to constant velocity"},
      {"velocity", "Each side of the box goes on as it moved in the last four detections"},
      {"last", "The box stays where it was last detected"},
      {"kalman", "A Kalman filter of each side's position and velocity"},
      {"lstm", "The paper's LSTM; needs trained weights"},
      {"attn-lstm", "The paper's LSTM with attention; needs trained weights"},
  };
  return kChoices;
}

std::unique_ptr<RpPredictor> RpPredictor::create(std::string_view name,
                                                 const std::string& weights) {
  if (name == kDefaultPredictor)
    return createDefaultPredictor(loadWeights(kDefaultPredictor, weights));
  if (name == kLstm) return createLstmPredictor(loadWeights(kLstm, weights));
  if (name == kAttnLstm) return createAttnLstmPredictor(loadWeights(kAttnLstm, weights));
  const auto untrained = name == "velocity" ? createVelocityPredictor
                         : name == "last"   ? createLastPredictor
                         : name == "kalman" ? createKalmanPredictor
                                            : nullptr;
  if (!untrained) throw Error("predictor", "unknown name \"" + std::string(name) + "\"");
  if (!weights.empty()) throw Error("weights", "predictor " + std::string(name) + " takes none");
  return untrained();
}

Box padded(const Prediction& prediction, const Padding& padding) {
  const auto width = [&](float side, float deviation) {
    return static_cast<float>(std::max(padding.ratio * side, padding.minimum) +
                              padding.deviations * deviation + padding.pixels);
  };
  const Box& box = prediction.box;
  const Sides& deviation = prediction.uncertainty;
  return grow(box, {width(box.width(), deviation.left), width(box.height(), deviation.top),
                    width(box.width(), deviation.right), width(box.height(), deviation.bottom)});
}

std::vector<Rp> makeRps(const std::vector<Prediction>& predictions, const History& history,
                        Size frame, const Padding& padding) {
  std::vector<Rp> rps;
  for (const Prediction& prediction : predictions) {
    const auto track = history.tracks().find(prediction.id);
    const bool known = track != history.tracks().end();
    Prediction expected = prediction;
    if (expected.box.empty() && known) expected.box = track->second.last().box;
    Rp rp;
    rp.box = clip(padded(expected, padding), frame);
    rp.expected = clip(expected.box, frame);
    if (rp.expected.empty()) continue;
    rp.id = prediction.id;
    if (known) {
      rp.labelId = track->second.labelId;
      rp.label = track->second.label;
      rp.score = track->second.last().score;
      rp.seen = track->second.seen;
    }
    rps.push_back(std::move(rp));
  }
  return rps;
}

}  // namespace elf
