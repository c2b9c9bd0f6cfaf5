// SPDX-License-Identifier: LGPL-2.1-or-later
// The width of the padding of RPs, learned from the errors so far.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "elf/predict/predictor.h"

namespace elf {

/**
 * Learns, while running, the padding with which a wanted share of the objects lies inside its RP.
 *
 * Each side is padded by a factor times its uncertainty plus a floor: 0.5 pixels and 0.5 % of the
 * box's width or height, so that a predictor may be certain. The score of an object that was found
 * where it had an RP is the least factor with which any of the RPs would have held 95 % of its
 * area, all clipped to the frame: a server sees it in any RP. The factor for a horizon is the
 * quantile at the wanted coverage of the latest kWindow scores of such horizons. This is split
 * conformal prediction (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", Springer
 * 2005; Lei et al., "Distribution-Free Predictive Inference for Regression", JASA 2018) with a
 * sliding window, as videos change. With exchangeable scores the coverage is at least the wanted
 * one on average, whatever their distribution.
 *
 * A server that sees nothing of an object beyond an RP's edge ends its box there. A found box that
 * ends within the last half pixel that was sent for its RP, at an edge that is not the frame's, was
 * probably cut: its score is at least 1.5 times the factor that put the edge there. Boxes that end
 * there by themselves make the coverage a little larger than wanted.
 *
 * Initially the factors are those of 100 scores of an exponential distribution, 3.2 at a coverage
 * of 0.98. Each of the first 100 real scores then replaces one of them. Horizons of up to about 1,
 * 2, 3, 4 and 8 usual frames, and of more, have windows of their own. Until such a window has 100
 * scores, it is filled up with the latest scores of shorter horizons.
 *
 * Not thread-safe.
 */
class PaddingCalibrator {
 public:
  /** Share of an object's area that must be inside its RP. */
  static constexpr double kInside = 0.95;
  static constexpr double kDefaultCoverage = 0.98;
  static constexpr double kLeastCoverage = 0.5;
  /** kWindow scores do not show rarer errors. */
  static constexpr double kMostCoverage = 0.999;
  /** Scores that are kept for each group of horizons. */
  static constexpr std::size_t kWindow = 1024;
  /** The largest factor: an error beyond it was somewhere else altogether. */
  static constexpr double kMostFactor = 64;

  /** `coverage` as in setCoverage(). */
  explicit PaddingCalibrator(double coverage = kDefaultCoverage);

  /** Share of the objects, kLeastCoverage..kMostCoverage, wanted inside; all scores stay. */
  void setCoverage(double coverage) { coverage_ = coverage; }
  double coverage() const { return coverage_; }

  /**
   * Learns from an inferred frame. `predictions` and `rps` are those made for it, `frames` usual
   * frames ahead; `rps` is empty if they cut nothing. `found` are its detections with their
   * identities. Coasted ones, and ones without identity, prediction or RP in the frame, are
   * ignored. So are all if `frames` is not above 0, as for a frame that arrives again after it was
   * answered.
   */
  void observe(std::span<const Prediction> predictions, std::span<const Rp> rps,
               std::span<const Detection> found, double frames, Size frame);

  /** The padding for predictions that are made `frames` usual frames ahead. */
  Padding padding(double frames) const { return scaled(factor(frames)); }
  /** 0..kMostFactor. */
  double factor(double frames) const;

  /** Forgets all scores. A change of size does not need it: scores are relative. */
  void forget();

  /** The padding of `factor`. */
  static Padding scaled(double factor) {
    return {.ratio = 0.005 * factor, .minimum = 0, .deviations = factor, .pixels = 0.5 * factor};
  }

 private:
  struct Window {
    /** A ring buffer once it holds kWindow scores, and the place of the next one. */
    std::vector<float> scores;
    std::size_t next = 0;
    /** A ring buffer of the scores assumed in place of its first ones. */
    std::vector<float> assumed;
    std::size_t nextAssumed = 0;
  };

  static std::size_t indexOf(double frames);
  /** Adds to the window of that index, and to the assumed scores of longer horizons. */
  void add(float score, std::size_t index);

  double coverage_;
  std::array<Window, 6> windows_;
};

}  // namespace elf
