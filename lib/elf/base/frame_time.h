// SPDX-License-Identifier: LGPL-2.1-or-later
// The time of a frame, and the distance between frames.
#pragma once

#include <chrono>
#include <optional>

namespace elf {

/** A moment in a stream of frames. */
struct FrameTime {
  /** Seconds, or any other unit, from any start. Grows from frame to frame. */
  double at = 0;
  /** Usual time from one frame of the stream to the next, in the same unit, > 0. */
  double interval = 1;
  /** The running time of the frame, if it has one. */
  std::optional<std::chrono::nanoseconds> running = {};
};

/** How many usual frames later `to` is than `from`. */
inline double framesBetween(double from, const FrameTime& to) {
  return (to.at - from) / to.interval;
}

}  // namespace elf
