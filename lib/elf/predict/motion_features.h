// SPDX-License-Identifier: LGPL-2.1-or-later
// What the default predictor's network sees of an object: how its box moved, in numbers that do not
// depend on the size of box and frame. Not installed.
#pragma once

#include <array>

#include "elf/geometry/box.h"
#include "elf/predict/history.h"

namespace elf {

/** Frames that the network looks back, the last observation's among them. */
inline constexpr std::size_t kMotionFrames = 10;

/** The observations of one object, seen from its last one, and what is asked for. */
struct MotionWindow {
  /** Number k is k frames before the last observation; without meaning where not `seen`. */
  std::array<Box, kMotionFrames> boxes{};
  std::array<bool, kMotionFrames> seen{};
  /** Frames since the last observation that looked for the object in vain. */
  float missed = 0;
  /** History::missRate(). */
  float missRate = 0.1F;
  /** Usual frames between the last observation and the frame to predict, > 0. */
  float ahead = 1;

  const Box& last() const { return boxes[0]; }
};

/**
 * Of a track of `history`, for a frame that is `when`. An observation between two of the window's
 * frames is put into the nearer one, where its box would have been then by the motion around it.
 */
MotionWindow motionWindow(const Track& track, const History& history, const FrameTime& when);

/** Four values: left, top, right, bottom. */
using FourSides = std::array<float, 4>;

/** A motion window in numbers. */
struct MotionFeatures {
  /** Values on the object itself, and those that go into what its neighbours are told of it. */
  static constexpr std::size_t kOwn = 94;
  static constexpr std::size_t kShared = 18;

  std::array<float, kOwn> own;
  std::array<float, kShared> shared;
  /** Pixels that 1 stands for in everything that is relative to the box. */
  FourSides scale;
  /** Change of each side in a frame, relative to `scale`: the line through three observations. */
  FourSides velocity;
};

/** Of a window that has its last observation; its box is not empty, nor is the frame. */
MotionFeatures motionFeatures(const MotionWindow& window, Size frame);

}  // namespace elf
