// SPDX-License-Identifier: LGPL-2.1-or-later
// What the predictors share. Not installed.
#pragma once

#include <array>

#include "elf/predict/history.h"

namespace elf {

// A box side by side: left, top, right, bottom.
inline constexpr std::array<float Box::*, 4> kSides{&Box::x0, &Box::y0, &Box::x1, &Box::y1};
inline constexpr std::array<float Sides::*, 4> kDeviations{&Sides::left, &Sides::top, &Sides::right,
                                                           &Sides::bottom};

/** What the errors of side number `side` are measured against: the box's width or height. */
inline float extent(const Box& box, std::size_t side) {
  return side % 2 == 0 ? box.width() : box.height();
}

/** How many usual frames after `from` a moment is, or another observation where such a frame is
 * that long. */
inline float framesAfter(const Observation& from, const FrameTime& to) {
  return static_cast<float>(framesBetween(from.at, to));
}
inline float framesAfter(const Observation& from, const Observation& to, double interval) {
  return framesAfter(from, {to.at, interval});
}

/** How far an object of unknown motion may get in a number of frames. */
inline Sides unknownMotion(const Box& box, float frames) {
  constexpr float kShare = 0.05F;  // of its size, in a frame
  const float x = kShare * box.width() * frames;
  const float y = kShare * box.height() * frames;
  return {x, y, x, y};
}

}  // namespace elf
