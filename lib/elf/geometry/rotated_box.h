// SPDX-License-Identifier: LGPL-2.1-or-later
// Boxes at an angle.
#pragma once

#include <array>
#include <cmath>

#include "elf/geometry/box.h"

namespace elf {

/** A limit in pixels, beyond any picture and anything in it. */
inline constexpr float kFarthestBox = 1 << 18;

struct RotatedBox {
  float centreX = 0, centreY = 0;
  /** The side along x at `angle` 0, and the other one. */
  float width = 0, height = 0;
  /** Radians from the x axis towards the y axis: clockwise in pictures. */
  float angle = 0;

  bool operator==(const RotatedBox&) const = default;

  double area() const { return static_cast<double>(width) * height; }

  /** Has a finite angle, sides larger than 0, and no distance above kFarthestBox. */
  bool possible() const {
    return std::abs(centreX) <= kFarthestBox && std::abs(centreY) <= kFarthestBox && width > 0 &&
           width <= kFarthestBox && height > 0 && height <= kFarthestBox && std::isfinite(angle);
  }

  /** The smallest upright box around it. */
  Box hull() const {
    const float c = std::abs(std::cos(angle)), s = std::abs(std::sin(angle));
    const float halfX = (width * c + height * s) / 2, halfY = (width * s + height * c) / 2;
    return {centreX - halfX, centreY - halfY, centreX + halfX, centreY + halfY};
  }

  RotatedBox shifted(float dx, float dy) const {
    return {centreX + dx, centreY + dy, width, height, angle};
  }
  /** If x and y differ, the sides have the lengths of the skewed box's, and the angle is that of
   * its first side. */
  RotatedBox scaled(double x, double y) const;
};

struct Corner {
  double x, y;
};

/** Clockwise in pictures, from the one that is the upper left at angle 0. */
std::array<Corner, 4> cornersOf(const RotatedBox& box);

/** An upright box as a rotated one. */
inline RotatedBox toRotated(const Box& b) {
  return {b.centreX(), b.centreY(), b.width(), b.height(), 0};
}

/**
 * The smallest box around `box` with sides along those of `axes`, in coordinates along these from
 * the centre of `axes`.
 */
Box extentIn(const RotatedBox& axes, const RotatedBox& box);

/** The smallest box around both with sides along those of the larger one. */
RotatedBox unite(const RotatedBox& a, const RotatedBox& b);

/** The shared area of two boxes, each 0..1. */
struct Overlap {
  /** Over the area of both together. */
  double iou = 0;
  double overSmaller = 0;
};
Overlap overlapOf(const RotatedBox& a, const RotatedBox& b);

/**
 * The similarity of two boxes by their Gaussian distributions, 0..1: 1 - Hellinger distance.
 * Networks with rotated boxes are trained and suppressed by it. (Llerena et al., "Gaussian Bounding
 * Boxes and Probabilistic Intersection-over-Union", 2021.)
 */
double probabilisticIou(const RotatedBox& a, const RotatedBox& b);

}  // namespace elf
