// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps what is sent within so many bytes a second.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace elf {

/**
 * Says for each frame how good its JPEGs may be so that what is sent stays within a budget. Each
 * frame may take what the budget allows for the time from one frame to the next, and what those
 * before it have left over, of kBurst seconds at most; what they took too much is taken off within
 * kRepay. So any T seconds hold at most T + kBurst seconds of the budget, and what one frame was
 * larger than foreseen.
 *
 * A budget holds from the first choose() that names it: what was sent before is none of its debts.
 *
 * How large files get is learned from those that were made. The best quality that fits is chosen;
 * where kLeastQuality does not fit, the scale shrinks; where the least one does not fit either,
 * frames are left out until the budget has room again.
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

  /** What a frame is to send, before anything is scaled. */
  struct Load {
    int parts = 0;
    /** Of the parts that are sent as JPEG, and of those that are sent as they are. */
    double jpegPixels = 0, rawPixels = 0;
    /** Of the parts that no quality and no scale makes smaller. */
    double otherBytes = 0;
    /** Below it the model would not find its objects any more; kLeastScale holds as well. */
    double leastScale = 0;
  };

  struct Choice {
    int quality = 0;
    /** For both sides of every part, 0 < scale <= 1. */
    double scale = 1;
  };

  /**
   * How to send a frame that comes at `now`; unset where it is to be left out. `sent` is what has
   * been sent since the beginning, in bytes, retries and kRequestBytes included. The quality is at
   * most `bestQuality`, and less than kLeastQuality only where that is.
   */
  std::optional<Choice> choose(Clock::time_point now, double bytesPerSecond, double sent,
                               const Load& load, int bestQuality);

  /** There is no budget any more: the next choose() begins one. */
  void off() { budget_ = 0; }

  /** A file of so many bytes was made. */
  void encoded(double pixels, std::size_t bytes, int quality);

 private:
  double allowance(Clock::time_point now, double sent);
  /** Of the pixels of an unscaled frame. */
  double pixelBytes(const Load& load, int quality) const;

  /** Of the files made lately: bytes less their tables, and how many there would be of them at
   * quality 90 if a pixel took one. Before the first, a quarter of a byte. */
  double fileBytes_ = 0.25, filePixels_ = 1;
  /** Bytes a second; 0: there is none. */
  double budget_ = 0;
  /** Of the frame before, within this budget. */
  std::optional<Clock::time_point> before_;
  /** Between frames, in seconds. */
  double interval_ = 0.04;
  double sentBefore_ = 0;
  /** Bytes sent that the budget had not allowed yet; negative: it has allowed more. */
  double debt_ = 0;
};

}  // namespace elf
