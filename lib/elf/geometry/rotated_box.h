// SPDX-License-Identifier: LGPL-2.1-or-later
// Boxes whose sides are not upright.
#pragma once

#include <cmath>

#include "elf/geometry/box.h"

namespace elf {

struct RotatedBox {
  float centreX = 0, centreY = 0;
  /** The side that lies along x where `angle` is 0, and the other one. */
  float width = 0, height = 0;
  /** Radians from the x axis towards the y axis, which in pictures is clockwise. */
  float angle = 0;

  bool operator==(const RotatedBox&) const = default;

  /** The smallest upright box that holds it. */
  Box hull() const {
    const float c = std::abs(std::cos(angle)), s = std::abs(std::sin(angle));
    const float halfX = (width * c + height * s) / 2, halfY = (width * s + height * c) / 2;
    return {centreX - halfX, centreY - halfY, centreX + halfX, centreY + halfY};
  }
};

/**
 * How much two boxes are the same, 0..1, as by their Gaussian distributions: 1 - Hellinger
 * distance. Networks with rotated boxes are trained and suppressed by it. (Llerena et al.,
 * "Gaussian Bounding Boxes and Probabilistic Intersection-over-Union", 2021.)
 */
double probabilisticIou(const RotatedBox& a, const RotatedBox& b);

}  // namespace elf
