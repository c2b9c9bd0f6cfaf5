// SPDX-License-Identifier: LGPL-2.1-or-later
// The features of an object for the default predictor's network: how its box moved, in numbers that
// do not depend on the size of box and frame. Not installed.
#pragma once

#include <array>

#include "elf/geometry/box.h"
#include "elf/predict/history.h"

namespace elf {

/** Frames that the network looks back, including the last observation's. */
inline constexpr std::size_t kMotionFrames = 10;

/** The observations of one object, relative to its last one, and the frame to predict. */
struct MotionWindow {
  /** Number k is k frames before the last observation; undefined if not `seen`. */
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
 * The window of a track of `history`, for a frame at `when`. An observation between two frames of
 * the window is put into the nearer one, with its box moved there by the motion around it.
 */
MotionWindow motionWindow(const Track& track, const History& history, const FrameTime& when);

/** Four values: left, top, right, bottom. */
using FourSides = std::array<float, 4>;

/** The numbers of a motion window. */
struct MotionFeatures {
  /** Number of values for the object itself, and of those that the codes for its neighbours use. */
  static constexpr std::size_t kOwn = 94;
  static constexpr std::size_t kShared = 18;

  std::array<float, kOwn> own;
  std::array<float, kShared> shared;
  /** Pixels of one unit, in everything that is relative to the box. */
  FourSides scale;
  /** Change of each side in a frame, relative to `scale`: the line through three observations. */
  FourSides velocity;
};

/** The window has its last observation. Neither its box nor the frame is empty. */
MotionFeatures motionFeatures(const MotionWindow& window, Size frame);

}  // namespace elf
