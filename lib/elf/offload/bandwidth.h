// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps the bytes sent per second within a budget.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace elf {

/**
 * Chooses the JPEG quality of each frame so that what is sent stays within a budget. A frame may
 * take the budget of one frame interval, and what earlier frames have left over, of kBurst seconds
 * at most. What earlier frames took too much is repaid within kRepay. So any T seconds hold at most
 * T + kBurst seconds of the budget, plus the excess of one frame over its forecast.
 *
 * A budget holds from the first choose() that names it. Earlier bytes do not count against it.
 *
 * The size of files is learned from earlier ones. The best quality that fits is chosen. If
 * kLeastQuality does not fit, the scale shrinks. If the least scale does not fit either, frames are
 * left out until the budget has room again.
 *
 * One thread.
 */
class BandwidthControl {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr int kLeastQuality = 30;
  static constexpr double kLeastScale = 0.25;
  static constexpr double kBurst = 0.3;
  static constexpr double kRepay = 0.5;
  /** Bytes of a request besides its picture: HTTP's headers and the JSON. */
  static constexpr double kRequestBytes = 500;

  /** The load of a frame, before anything is scaled. */
  struct Load {
    int parts = 0;
    /** Pixels of the parts sent as JPEG, and of those sent raw. */
    double jpegPixels = 0, rawPixels = 0;
    /** Bytes of the parts that no quality and no scale makes smaller. */
    double otherBytes = 0;
    /** Below it the model would miss its objects. kLeastScale holds as well. */
    double leastScale = 0;
  };

  struct Choice {
    int quality = 0;
    /** For both sides of every part, 0 < scale <= 1. */
    double scale = 1;
  };

  /**
   * How to send a frame at `now`; unset if it is to be left out. `sent` is what has been sent since
   * the beginning, in bytes, retries and kRequestBytes included. The quality is at most
   * `bestQuality`, and below kLeastQuality only if `bestQuality` is.
   */
  std::optional<Choice> choose(Clock::time_point now, double bytesPerSecond, double sent,
                               const Load& load, int bestQuality);

  /** Ends the budget. The next choose() begins one. */
  void off() { budget_ = 0; }

  /** A file of `bytes` was made of `pixels`. */
  void encoded(double pixels, std::size_t bytes, int quality);

 private:
  double allowance(Clock::time_point now, double sent);
  /** Bytes of the pixels of an unscaled frame. */
  double pixelBytes(const Load& load, int quality) const;

  /** Of recent files: their bytes without tables, and what those would be at quality 90 with one
   * byte for each pixel. Before the first, a quarter of a byte. */
  double fileBytes_ = 0.25, filePixels_ = 1;
  /** Bytes a second; 0: no budget. */
  double budget_ = 0;
  /** Time of the frame before, within this budget. */
  std::optional<Clock::time_point> before_;
  /** Seconds between frames. */
  double interval_ = 0.04;
  double sentBefore_ = 0;
  /** Bytes sent beyond what the budget has allowed; negative: it has allowed more. */
  double debt_ = 0;
};

}  // namespace elf
