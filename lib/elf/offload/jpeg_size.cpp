// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/jpeg_size.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace elf {

namespace {

struct Point {
  int quality;
  double share;
};

// Geometric mean over frames of six clips, 768x576 to 1920x1080.
constexpr std::array kCurve{Point{1, 0.10},   Point{10, 0.186}, Point{20, 0.266}, Point{30, 0.331},
                            Point{40, 0.383}, Point{50, 0.434}, Point{60, 0.485}, Point{70, 0.566},
                            Point{80, 0.694}, Point{85, 0.804}, Point{90, 1.0},   Point{95, 1.441},
                            Point{100, 2.803}};

}  // namespace

double jpegShareAt(int quality) {
  const int q = std::clamp(quality, kCurve.front().quality, kCurve.back().quality);
  const auto* const to = std::ranges::lower_bound(kCurve, q, {}, &Point::quality);
  if (to->quality == q) return to->share;
  const auto* const from = to - 1;
  const double along =
      static_cast<double>(q - from->quality) / static_cast<double>(to->quality - from->quality);
  return from->share * std::pow(to->share / from->share, along);
}

}  // namespace elf
