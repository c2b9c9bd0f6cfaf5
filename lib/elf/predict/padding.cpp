// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/padding.h"

#include <algorithm>
#include <cmath>

#include "elf/predict/sides.h"

namespace elf {

namespace {

/** A box that ends this near to the last pixel of an RP was cut there. */
constexpr float kTouching = 0.5F;
/** After a cut, the least score in units of the cutting factor. */
constexpr double kUncut = 1.5;

constexpr std::size_t kAssumed = 100;
/** Mean of the scores assumed initially. */
constexpr double kPriorMean = 0.75;

template <typename Item>
const Item* find(std::span<const Item> items, Identity id) {
  const auto item =
      std::find_if(items.begin(), items.end(), [id](const Item& i) { return i.id == id; });
  return item != items.end() ? &*item : nullptr;
}

/**
 * The least factor, up to `most`, with which the RP of `prediction` covers `found`. The covered
 * area grows with the factor.
 */
double leastFactor(const Prediction& prediction, const Box& found, Size frame, double most) {
  const Box seen = clip(found, frame);
  const double wanted = PaddingCalibrator::kInside * seen.area();
  const auto covers = [&](double factor) {
    const Box rp = clip(padded(prediction, PaddingCalibrator::scaled(factor)), frame);
    return intersect(rp, seen).area() >= wanted;
  };
  if (!covers(most)) return most;
  if (covers(0)) return 0;
  double low = 0, high = std::min(1.0, most);
  while (!covers(high)) {
    low = high;
    high = std::min(2 * high, most);
  }
  constexpr double kPrecision = 0.01;
  while (high - low > kPrecision * high) {
    const double middle = (low + high) / 2;
    (covers(middle) ? high : low) = middle;
  }
  return high;
}

/** The largest factor that put an edge of `rp` where `found` ends; 0 if none did. */
double cuttingFactor(const Prediction& prediction, const Rp& rp, const Box& found, Size frame) {
  const Box all = toBox(wholeFrame(frame));
  // Whole pixels are sent, and detections end at the last of them.
  const Box sent = toBox(roundOutwards(rp.box, frame));
  const Box unit = padded(prediction, PaddingCalibrator::scaled(1));
  double factor = 0;
  for (const auto side : kSides) {
    const float outwards = std::copysign(1.0F, unit.*side - prediction.box.*side);
    const float inside = (sent.*side - found.*side) * outwards;
    if (sent.*side == all.*side || inside < 0 || inside > kTouching) continue;
    const float from = prediction.box.*side;
    factor = std::max<double>(factor, (rp.box.*side - from) / (unit.*side - from));
  }
  return factor;
}

/** Quantiles of the assumed scores, evenly spread in any stretch, as they are replaced in order. */
std::vector<float> priorScores() {
  std::vector<float> scores;
  for (std::size_t i = 0; i < kAssumed; ++i) {
    constexpr std::size_t kStride = 61;  // coprime to kAssumed
    const double share = (static_cast<double>(i * kStride % kAssumed) + 0.5) / kAssumed;
    scores.push_back(static_cast<float>(-kPriorMean * std::log(1 - share)));
  }
  return scores;
}

}  // namespace

PaddingCalibrator::PaddingCalibrator(double coverage) : coverage_(coverage) {
  forget();
}

void PaddingCalibrator::forget() {
  for (Window& window : windows_) window = {.scores = {}, .assumed = priorScores()};
}

void PaddingCalibrator::observe(std::span<const Prediction> predictions, std::span<const Rp> rps,
                                std::span<const Detection> found, double frames, Size frame) {
  if (frames <= 0) return;
  const std::size_t index = indexOf(frames);
  for (const Detection& detection : found) {
    if (detection.coasted || detection.id == kNoIdentity) continue;
    const Prediction* prediction = find(predictions, detection.id);
    if (!prediction || clip(prediction->box, frame).empty()) continue;
    if (clip(detection.box, frame).empty()) continue;
    double score = leastFactor(*prediction, detection.box, frame, kMostFactor);
    for (const Prediction& other : predictions)
      if (score > 0 && !clip(other.box, frame).empty())
        score = leastFactor(other, detection.box, frame, score);
    if (const Rp* rp = find(rps, detection.id))
      score = std::max(score, kUncut * cuttingFactor(*prediction, *rp, detection.box, frame));
    add(static_cast<float>(std::min(score, kMostFactor)), index);
  }
}

void PaddingCalibrator::add(float score, std::size_t index) {
  Window& window = windows_[index];
  if (window.next < window.scores.size())
    window.scores[window.next] = score;
  else
    window.scores.push_back(score);
  window.next = (window.next + 1) % kWindow;
  for (std::size_t i = index + 1; i < windows_.size(); ++i) {
    windows_[i].assumed[windows_[i].nextAssumed] = score;
    windows_[i].nextAssumed = (windows_[i].nextAssumed + 1) % kAssumed;
  }
}

std::size_t PaddingCalibrator::indexOf(double frames) {
  if (frames < 4.5) return static_cast<std::size_t>(std::max(std::lround(frames), 1L) - 1);
  return frames < 8.5 ? 4 : 5;
}

double PaddingCalibrator::factor(double frames) const {
  const Window& window = windows_[indexOf(frames)];
  std::vector<float> scores = window.scores;
  if (scores.size() < kAssumed)
    scores.insert(scores.end(), window.assumed.begin() + static_cast<std::ptrdiff_t>(scores.size()),
                  window.assumed.end());
  const auto count = static_cast<double>(scores.size());
  // One more than the scores so far, for the next one.
  const double rank = std::min(std::ceil(coverage_ * (count + 1)), count);
  const auto quantile = scores.begin() + static_cast<std::ptrdiff_t>(rank) - 1;
  std::nth_element(scores.begin(), quantile, scores.end());
  return *quantile;
}

}  // namespace elf
