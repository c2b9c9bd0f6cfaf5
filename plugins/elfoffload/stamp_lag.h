// SPDX-License-Identifier: LGPL-2.1-or-later
// How far the time stamps of a live source are behind the clock.
#pragma once

#include <algorithm>
#include <chrono>

namespace elf::offloading {

/**
 * A frame that waits in front of elfoffload, or for a busy computer, arrives later than its time
 * stamp says. If all frames of kPeriod arrive much too late to be answered, waiting is not the
 * reason: their stamps are behind the clock, as after a jump back, or upstream adds more latency
 * than it reports. Not thread-safe.
 */
class StampLag {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::seconds kPeriod{1};
  /** A frame that is later than its deadline by so much is much too late. */
  static constexpr std::chrono::seconds kMuch{1};
  /** A period has at least so many frames. */
  static constexpr int kFrames = 5;

  /**
   * A frame has arrived at `now`, `late` after the time that its stamp says. `limit` is its
   * deadline. Returns how much of the delay is the stamp's fault.
   */
  Clock::duration note(Clock::duration late, Clock::time_point now, Clock::duration limit) {
    if (frames_ >= kFrames && now - begun_ >= kPeriod) {
      leastBefore_ = least_;
      frames_ = 0;
    }
    if (frames_++ == 0) {
      begun_ = now;
      least_ = late;
    }
    least_ = std::min(least_, late);
    const Clock::duration lag = std::min(least_, leastBefore_);
    return lag > limit + kMuch ? lag : Clock::duration{};
  }

 private:
  /** Frames of this period, and when it began. */
  int frames_ = 0;
  Clock::time_point begun_{};
  /** How late the least late frames of this period and of the one before were. */
  Clock::duration least_{}, leastBefore_{};
};

}  // namespace elf::offloading
