// SPDX-License-Identifier: LGPL-2.1-or-later
// From time stamps to the time that prediction goes by.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "elf/base/frame_time.h"

namespace elf {

/**
 * Says when each frame of a stream is. Frames that were dropped on their way here, a variable frame
 * rate and a camera that hiccups are time that passed. Where frames have no time stamps they are as
 * far apart as usual.
 *
 * How far that is it learns from the latest kWindow frames: it is the lower quartile of their
 * distances, or a third of the upper one where that is more. So it is the interval of the camera
 * where every other frame is lost at random, and not much less where frames come in bursts. Not
 * thread-safe.
 */
class FrameClock {
 public:
  static constexpr std::size_t kWindow = 64;

  /**
   * The next frame's time, in seconds. Its `at` is greater than that of the frame before, also
   * where the time stamp is not: then it is one interval later. The interval is a second until two
   * frames have come that have time stamps.
   */
  FrameTime next(std::optional<std::chrono::nanoseconds> stamp);

 private:
  double usualInterval() const;

  FrameTime now_;
  std::optional<std::chrono::nanoseconds> last_;
  /** A ring once it holds kWindow, and where the next one goes. */
  std::vector<double> intervals_;
  std::size_t next_ = 0;
};

}  // namespace elf
