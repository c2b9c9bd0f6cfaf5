// SPDX-License-Identifier: LGPL-2.1-or-later
// Durations as numbers to calculate with.
#pragma once

#include <algorithm>
#include <chrono>

namespace elf {

inline double secondsOf(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/** Clamped to between 0 and a year: longer than any wait, and no overflow. */
inline std::chrono::steady_clock::duration durationOf(double seconds) {
  constexpr double kLongest = 3.2e7;
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(std::clamp(seconds, 0.0, kLongest)));
}

}  // namespace elf
