// SPDX-License-Identifier: LGPL-2.1-or-later
// Pictures that are encoded and sent as elfoffload does it under a budget.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "elf/image/jpeg_encoder.h"
#include "elf/offload/bandwidth.h"

namespace elf::testing {

/** Whole frames one after the other, by a clock of its own that runs as fast as they come. */
class Sending {
 public:
  struct Frame {
    double seconds = 0;
    /** Picture and kRequestBytes; 0 where the frame was left out. */
    double bytes = 0;
    int quality = 0;
    double scale = 0;
  };

  Sending(double kilobits, int bestQuality, double leastScale = 0)
      : budget_(kilobits * 125), best_(bestQuality), leastScale_(leastScale) {}

  /** In bytes a second. */
  double budget() const { return budget_; }
  const std::vector<Frame>& frames() const { return frames_; }

  /** The next frame, `interval` seconds after the one before it. */
  void send(const ImageView& picture, double interval) {
    seconds_ += interval;
    const auto now = BandwidthControl::Clock::time_point(
        std::chrono::duration_cast<BandwidthControl::Clock::duration>(
            std::chrono::duration<double>(seconds_)));
    const auto choice = control_.choose(
        now, budget_, sent_,
        {.parts = 1, .jpegPixels = picture.size.area(), .leastScale = leastScale_}, best_);
    if (!choice) {
      frames_.push_back({.seconds = seconds_});
      return;
    }
    const Rect whole{0, 0, picture.size.width, picture.size.height};
    const Size size = picture.size.scaled(choice->scale);
    const auto file = encoder_.encode(picture, whole, size, choice->quality);
    control_.encoded(size.area(), file.value().size(), choice->quality);
    const double bytes = static_cast<double>(file.value().size()) + BandwidthControl::kRequestBytes;
    sent_ += bytes;
    frames_.push_back({seconds_, bytes, choice->quality, choice->scale});
  }

  /** Of all stretches of so many seconds between the two moments, the largest or smallest share of
   * the budget that was sent. */
  double mostShare(double length, double from, double to) const {
    return extreme(length, from, to, [](double a, double b) { return std::max(a, b); });
  }
  double leastShare(double length, double from, double to) const {
    return extreme(length, from, to, [](double a, double b) { return std::min(a, b); });
  }

 private:
  template <typename Pick>
  double extreme(double length, double from, double to, Pick pick) const {
    std::optional<double> found;
    for (const Frame& first : frames_) {
      if (first.seconds < from || first.seconds + length > to) continue;
      double bytes = 0;
      for (const Frame& frame : frames_)
        if (frame.seconds >= first.seconds && frame.seconds < first.seconds + length)
          bytes += frame.bytes;
      const double share = bytes / (budget_ * length);
      found = found ? pick(*found, share) : share;
    }
    return found.value_or(0);
  }

  const double budget_;
  const int best_;
  const double leastScale_;
  BandwidthControl control_;
  JpegEncoder encoder_;
  double seconds_ = 0;
  double sent_ = 0;
  std::vector<Frame> frames_;
};

}  // namespace elf::testing
