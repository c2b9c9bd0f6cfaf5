// SPDX-License-Identifier: LGPL-2.1-or-later
// Durations as numbers to calculate with.
#pragma once

#include <chrono>

namespace elf {

inline double secondsOf(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace elf
