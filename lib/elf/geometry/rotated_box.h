// SPDX-License-Identifier: LGPL-2.1-or-later
// Boxes whose sides are not upright.
#pragma once

#include <array>
#include <cmath>

#include "elf/geometry/box.h"

namespace elf {

/** Wider than any picture, and anything in it, in pixels. */
inline constexpr float kFarthestBox = 1 << 18;

struct RotatedBox {
  float centreX = 0, centreY = 0;
  /** The side that lies along x where `angle` is 0, and the other one. */
  float width = 0, height = 0;
  /** Radians from the x axis towards the y axis, which in pictures is clockwise. */
  float angle = 0;

  bool operator==(const RotatedBox&) const = default;

  double area() const { return static_cast<double>(width) * height; }

  /** Has an angle, sides that are larger than 0, and no distance above kFarthestBox. */
  bool possible() const {
    return std::abs(centreX) <= kFarthestBox && std::abs(centreY) <= kFarthestBox && width > 0 &&
           width <= kFarthestBox && height > 0 && height <= kFarthestBox && std::isfinite(angle);
  }

  /** The smallest upright box that holds it. */
  Box hull() const {
    const float c = std::abs(std::cos(angle)), s = std::abs(std::sin(angle));
    const float halfX = (width * c + height * s) / 2, halfY = (width * s + height * c) / 2;
    return {centreX - halfX, centreY - halfY, centreX + halfX, centreY + halfY};
  }

  RotatedBox shifted(float dx, float dy) const {
    return {centreX + dx, centreY + dy, width, height, angle};
  }
  /** Where x and y differ, the sides' lengths are those of the skewed box, and so is the angle of
   * the first side. */
  RotatedBox scaled(double x, double y) const;
};

struct Corner {
  double x, y;
};

/** Clockwise in pictures, from the one that is the upper left where the angle is 0. */
std::array<Corner, 4> cornersOf(const RotatedBox& box);

/** The rotated box that an upright one is. */
inline RotatedBox toRotated(const Box& b) {
  return {b.centreX(), b.centreY(), b.width(), b.height(), 0};
}

/**
 * The smallest box that holds `box` and whose sides are along those of `axes`, in coordinates along
 * these that count from the centre of `axes`.
 */
Box extentIn(const RotatedBox& axes, const RotatedBox& box);

/** The smallest box around both whose sides are along those of the larger one. */
RotatedBox unite(const RotatedBox& a, const RotatedBox& b);

/** The area that two boxes share, each 0..1. */
struct Overlap {
  /** Over that of both together. */
  double iou = 0;
  double overSmaller = 0;
};
Overlap overlapOf(const RotatedBox& a, const RotatedBox& b);

/**
 * How much two boxes are the same, 0..1, as by their Gaussian distributions: 1 - Hellinger
 * distance. Networks with rotated boxes are trained and suppressed by it. (Llerena et al.,
 * "Gaussian Bounding Boxes and Probabilistic Intersection-over-Union", 2021.)
 */
double probabilisticIou(const RotatedBox& a, const RotatedBox& b);

}  // namespace elf
