// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/capacity/cost_model.h"

#include <algorithm>
#include <cmath>

namespace elf {

namespace {
constexpr double kMegapixel = 1e6;
// The prior: two points on CostModel's default line, so that the slope is defined from the start.
constexpr double kPriorWeight = 0.001;
}  // namespace

void CostEstimator::add(double pixels, double seconds) {
  if (!(pixels > 0) || !(seconds >= 0) || !std::isfinite(pixels) || !std::isfinite(seconds)) return;
  const double x = pixels / kMegapixel;
  n_ = n_ * kForget + 1;
  x_ = x_ * kForget + x;
  xx_ = xx_ * kForget + x * x;
  y_ = y_ * kForget + seconds;
  xy_ = xy_ * kForget + x * seconds;
  ++answers_;
}

CostModel CostEstimator::model() const {
  const CostModel prior;
  double n = n_, x = x_, xx = xx_, y = y_, xy = xy_;
  for (const double at : {0.0, 1.0}) {
    const double seconds = prior.seconds(at * kMegapixel);
    n += kPriorWeight;
    x += kPriorWeight * at;
    xx += kPriorWeight * at * at;
    y += kPriorWeight * seconds;
    xy += kPriorWeight * at * seconds;
  }
  const double determinant = n * xx - x * x;
  double slope = (n * xy - x * y) / determinant;
  double offset = (y - slope * x) / n;
  // The best line with a coefficient at its bound goes through what is left of the sums.
  if (slope < 0) {
    slope = 0;
    offset = y / n;
  } else if (offset < 0) {
    offset = 0;
    slope = xy / xx;
  }
  return {.a = std::max(0.0, offset), .b = std::max(0.0, slope) / kMegapixel, .c = 0};
}

}  // namespace elf
