// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/bandwidth.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "elf/base/seconds.h"
#include "elf/offload/jpeg_size.h"

namespace elf {

namespace {

constexpr double kRawBytes = 3;
/** The weight of the files of the frame before, relative to this one's. */
constexpr double kOldFiles = 0.6;
/** The weight of the newest interval. */
constexpr double kNewInterval = 0.1;
/** In a longer pause the stream has stopped. */
constexpr double kLongestInterval = 2;

}  // namespace

// Bytes that the frame of `now` may take.
double BandwidthControl::allowance(Clock::time_point now, double sent) {
  debt_ += sent - std::exchange(sentBefore_, sent);
  if (before_) {
    const double passed = secondsOf(now - *before_);
    interval_ += kNewInterval * (std::min(passed, kLongestInterval) - interval_);
    debt_ = std::max(debt_ - budget_ * passed, -budget_ * kBurst);
  }
  before_ = now;
  const double share = budget_ * interval_;
  return debt_ <= 0 ? share - debt_ : share - debt_ * std::min(1.0, interval_ / kRepay);
}

double BandwidthControl::pixelBytes(const Load& load, int quality) const {
  return load.jpegPixels * jpegShareAt(quality) * fileBytes_ / filePixels_ +
         load.rawPixels * kRawBytes;
}

std::optional<BandwidthControl::Choice> BandwidthControl::choose(Clock::time_point now,
                                                                 double bytesPerSecond, double sent,
                                                                 const Load& load,
                                                                 int bestQuality) {
  if (std::exchange(budget_, bytesPerSecond) != bytesPerSecond) {
    sentBefore_ = sent;
    debt_ = 0;
    before_.reset();
  }
  const double allowed = allowance(now, sent);
  Choice choice{.quality = bestQuality};
  if (load.parts == 0) return choice;
  if (allowed <= 0) return std::nullopt;
  // Older files count less, but the last ones stay known while no new ones are made.
  if (filePixels_ > 1) {
    fileBytes_ *= kOldFiles;
    filePixels_ *= kOldFiles;
  }
  const double room = allowed - load.parts * (kRequestBytes + kJpegTables) - load.otherBytes;
  const int least = std::min(kLeastQuality, bestQuality);
  while (choice.quality > least && pixelBytes(load, choice.quality) > room) --choice.quality;
  const double pixels = pixelBytes(load, choice.quality);
  const double leastScale = std::clamp(load.leastScale, kLeastScale, 1.0);
  if (pixels > 0 && pixels > room)
    choice.scale = std::max(leastScale, std::sqrt(std::max(0.0, room) / pixels));
  return choice;
}

void BandwidthControl::encoded(double pixels, std::size_t bytes, int quality) {
  fileBytes_ += std::max(0.0, static_cast<double>(bytes) - kJpegTables);
  filePixels_ += pixels * jpegShareAt(quality);
}

}  // namespace elf
