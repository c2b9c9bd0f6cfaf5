// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/frame_clock.h"

#include <algorithm>
#include <utility>

namespace elf {

FrameTime FrameClock::next(std::optional<std::chrono::nanoseconds> stamp) {
  const auto last = std::exchange(last_, stamp);
  double passed = 0;
  if (last && stamp) passed = std::chrono::duration<double>(*stamp - *last).count();
  if (passed > 0) {
    if (intervals_.size() < kWindow)
      intervals_.push_back(passed);
    else
      intervals_[next_] = passed;
    next_ = (next_ + 1) % kWindow;
    now_.interval = usualInterval();
  }
  now_.at += passed > 0 ? passed : now_.interval;
  now_.running = stamp;
  return now_;
}

double FrameClock::usualInterval() const {
  std::vector<double> sorted = intervals_;
  std::ranges::sort(sorted);
  const std::size_t last = sorted.size() - 1;
  return std::max(sorted[last / 4], sorted[last * 3 / 4] / 3);
}

}  // namespace elf
