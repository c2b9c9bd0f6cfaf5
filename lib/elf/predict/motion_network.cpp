// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/motion_network.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "elf/predict/motion_predictors.h"
#include "elf/predict/sides.h"

namespace elf {

namespace {

constexpr auto kOwn = static_cast<int>(MotionFeatures::kOwn);
constexpr auto kShared = static_cast<int>(MotionFeatures::kShared);
constexpr int kInputs = kOwn + MotionNetwork::kContext;
// More would save area at the same coverage on recorded boxes. In a pipeline, however, an object
// that is given up by mistake has no RP, and is only found again by chance.
constexpr float kLeastPresence = 0.05F;
constexpr float kLeastPresenceMissed = 0.25F;
// A bound that is exceeded once in 33 times is roughly two deviations.
constexpr float kDeviationsInReach = 2;

void rectify(std::span<float> values) {
  for (float& value : values) value = std::max(value, 0.0F);
}

float softplus(float x) {
  return x > 20 ? x : std::log1p(std::exp(x));
}

/**
 * The network has learned from objects that are seen in most frames, at most this many frames
 * ahead. For others its output is only what objects do on the whole.
 */
constexpr float kLearnedAhead = 6;

bool isBeyondNetwork(const Track& track, const MotionWindow& window) {
  const auto seen = static_cast<std::size_t>(std::ranges::count(window.seen, true));
  // It also knows objects that were looked for in vain.
  if (track.missed > 0) return false;
  return (seen < 2 && track.observations.size() > 1) ||
         (2 * seen < kMotionFrames && window.ahead > kLearnedAhead);
}

class DefaultPredictor final : public RpPredictor {
 public:
  explicit DefaultPredictor(const Weights& weights) : network_(weights) {}

  std::vector<Prediction> predict(const History& history, const FrameTime& when) const override {
    std::vector<const Track*> tracks;
    std::vector<MotionWindow> windows;
    for (const auto& [id, track] : history.tracks()) {
      if (track.last().box.empty()) continue;
      tracks.push_back(&track);
      windows.push_back(motionWindow(track, history, when));
    }
    std::vector<Prediction> predictions, others;
    if (history.size().empty()) return predictions;
    const std::vector<MotionForecast> forecasts = network_.run(windows, history.size());
    predictions.reserve(tracks.size());
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      if (isBeyondNetwork(*tracks[i], windows[i])) {
        if (others.empty()) others = kalman_->predict(history, when);
        predictions.push_back(*std::ranges::find(others, tracks[i]->id, &Prediction::id));
        continue;
      }
      const MotionForecast& forecast = forecasts[i];
      if (forecast.presence < (tracks[i]->missed > 0 ? kLeastPresenceMissed : kLeastPresence))
        continue;
      Prediction prediction{tracks[i]->id, forecast.box, forecast.reach};
      if (prediction.box.empty()) prediction.box = tracks[i]->last().box;
      for (const auto side : kDeviations) prediction.uncertainty.*side /= kDeviationsInReach;
      predictions.push_back(prediction);
    }
    return predictions;
  }

 private:
  MotionNetwork network_;
  const std::unique_ptr<RpPredictor> kalman_ = createKalmanPredictor();
};

}  // namespace

MotionNetwork::MotionNetwork(const Weights& weights)
    : mean_(weights.tensor("mean", {kOwn}).values),
      deviation_(weights.tensor("deviation", {kOwn}).values),
      context_(weights, "context", kShared, kContext),
      first_(weights, "first", kInputs, kHidden),
      second_(weights, "second", kHidden, kHidden),
      output_(weights, "output", kHidden, kOutputs),
      bypass_(weights, "bypass", kInputs, 4) {}

std::vector<MotionForecast> MotionNetwork::run(std::span<const MotionWindow> scene,
                                               Size frame) const {
  std::vector<MotionFeatures> features;
  features.reserve(scene.size());
  std::vector<std::array<float, kContext>> codes(scene.size());
  std::array<float, kContext> sum{};
  for (std::size_t i = 0; i < scene.size(); ++i) {
    features.push_back(motionFeatures(scene[i], frame));
    context_.run(features[i].shared, codes[i]);
    rectify(codes[i]);
    for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += codes[i][c];
  }

  std::vector<MotionForecast> forecasts(scene.size());
  const float others = std::max(static_cast<float>(scene.size()) - 1, 1.0F);
  for (std::size_t i = 0; i < scene.size(); ++i) {
    std::array<float, kInputs> input;
    for (std::size_t k = 0; k < MotionFeatures::kOwn; ++k)
      input[k] =
          std::clamp((features[i].own[k] - mean_[k]) / deviation_[k], -kMostFeature, kMostFeature);
    for (std::size_t c = 0; c < sum.size(); ++c)
      input[MotionFeatures::kOwn + c] = (sum[c] - codes[i][c]) / others;
    std::array<float, kHidden> first, second;
    first_.run(input, first);
    rectify(first);
    second_.run(first, second);
    rectify(second);
    for (std::size_t k = 0; k < first.size(); ++k) second[k] += first[k];
    std::array<float, kOutputs> output;
    output_.run(second, output);
    FourSides bypass;
    bypass_.run(input, bypass);

    const float ahead = std::min(scene[i].ahead, kMostAhead);
    for (std::size_t side = 0; side < kSides.size(); ++side) {
      const float scale = features[i].scale[side];
      const float speed = features[i].velocity[side] + output[side] + bypass[side];
      forecasts[i].box.*kSides[side] = scene[i].last().*kSides[side] + scale * speed * ahead;
      forecasts[i].reach.*kDeviations[side] =
          scale * softplus(output[4 + side] - kNarrow) * std::sqrt(ahead);
    }
    forecasts[i].box = clip(forecasts[i].box, frame);
    forecasts[i].presence = 1 / (1 + std::exp(-output[8]));
  }
  return forecasts;
}

std::unique_ptr<RpPredictor> createDefaultPredictor(const Weights& weights) {
  return std::make_unique<DefaultPredictor>(weights);
}

}  // namespace elf
