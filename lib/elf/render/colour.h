// SPDX-License-Identifier: LGPL-2.1-or-later
// Colours for numbers: identities, servers. Not installed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace elf {

/** Red, green and blue, 0..1. */
struct Colour {
  double r = 0;
  double g = 0;
  double b = 0;
};

/**
 * The same bright colour for the same number. Successive numbers get distant hues: multiples of the
 * golden ratio never come close again.
 */
inline Colour colourOf(std::int64_t number) {
  const double turn =
      static_cast<double>(static_cast<std::uint64_t>(number) % 4096) * 0.61803398875;
  const auto channel = [turn](double shift) {
    const double t = std::fmod(turn + shift, 1.0) * 6;
    return 0.15 + 0.8 * std::clamp(std::abs(t - 3) - 1, 0.0, 1.0);
  };
  return {channel(0), channel(2.0 / 3), channel(1.0 / 3)};
}

}  // namespace elf
