// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/keypoint.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace elf {

namespace {

// The spread of human annotations for the 17 joints of COCO: nose, eyes, ears, shoulders, elbows,
// wrists, hips, knees, ankles. (COCO's keypoint evaluation.)
constexpr std::array<double, 17> kSigmas{0.026, 0.025, 0.025, 0.035, 0.035, 0.079,
                                         0.079, 0.072, 0.072, 0.062, 0.062, 0.107,
                                         0.107, 0.087, 0.087, 0.089, 0.089};
constexpr double kMeanSigma = 0.067;

}  // namespace

double similarity(std::span<const Keypoint> truth, std::span<const Keypoint> other, double area) {
  if (truth.size() != other.size() || !(area > 0)) return 0;
  double sum = 0;
  int seen = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (!isSeen(truth[i])) continue;
    ++seen;
    if (!isSeen(other[i])) continue;
    const double dx = truth[i].x - other[i].x;
    const double dy = truth[i].y - other[i].y;
    const double sigma = truth.size() == kSigmas.size() ? kSigmas[i] : kMeanSigma;
    sum += std::exp(-(dx * dx + dy * dy) / (8 * area * sigma * sigma));
  }
  return seen > 0 ? sum / seen : 0;
}

std::vector<Keypoint> unite(std::span<const Keypoint> a, std::span<const Keypoint> b) {
  std::vector<Keypoint> best(a.begin(), a.end());
  if (best.empty()) return {b.begin(), b.end()};
  for (std::size_t i = 0; i < best.size() && i < b.size(); ++i)
    if (b[i].visibility > best[i].visibility) best[i] = b[i];
  return best;
}

}  // namespace elf
