// SPDX-License-Identifier: LGPL-2.1-or-later
// Shared helpers of the predictors. Not installed.
#pragma once

#include <array>

#include "elf/predict/history.h"

namespace elf {

// The sides of a box: left, top, right, bottom.
inline constexpr std::array<float Box::*, 4> kSides{&Box::x0, &Box::y0, &Box::x1, &Box::y1};
inline constexpr std::array<float Sides::*, 4> kDeviations{&Sides::left, &Sides::top, &Sides::right,
                                                           &Sides::bottom};

/** The scale for errors of side number `side`: the box's width or height. */
inline float extent(const Box& box, std::size_t side) {
  return side % 2 == 0 ? box.width() : box.height();
}

/** Usual frames from `from` to a moment, or to another observation with frames of length
 * `interval`. */
inline float framesAfter(const Observation& from, const FrameTime& to) {
  return static_cast<float>(framesBetween(from.at, to));
}
inline float framesAfter(const Observation& from, const Observation& to, double interval) {
  return framesAfter(from, {to.at, interval});
}

/** How far an object of unknown motion may move in a number of frames. */
inline Sides unknownMotion(const Box& box, float frames) {
  constexpr float kShare = 0.05F;  // of its size, in a frame
  const float x = kShare * box.width() * frames;
  const float y = kShare * box.height() * frames;
  return {x, y, x, y};
}

}  // namespace elf
