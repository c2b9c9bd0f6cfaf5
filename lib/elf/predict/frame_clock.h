// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns time stamps into the time that prediction uses.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "elf/base/frame_time.h"

namespace elf {

/**
 * The time of each frame of a stream. Dropped frames, a variable frame rate and a camera that
 * hiccups are time that passed. Frames without time stamps are one usual interval apart.
 *
 * The usual interval is learned from the latest kWindow frames: the lower quartile of their
 * distances, or a third of the upper one if that is more. So it is the camera's interval if every
 * other frame is lost at random, and not much less if frames arrive in bursts. Not thread-safe.
 */
class FrameClock {
 public:
  static constexpr std::size_t kWindow = 64;

  /**
   * The next frame's time, in seconds. Its `at` is greater than that of the frame before. If the
   * time stamp is not, `at` is one interval later. The interval is a second until two frames in a
   * row have had rising time stamps.
   */
  FrameTime next(std::optional<std::chrono::nanoseconds> stamp);

 private:
  double usualInterval() const;

  FrameTime now_;
  std::optional<std::chrono::nanoseconds> last_;
  /** A ring buffer once it holds kWindow, and the place of the next one. */
  std::vector<double> intervals_;
  std::size_t next_ = 0;
};

}  // namespace elf
