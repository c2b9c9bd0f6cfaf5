// SPDX-License-Identifier: LGPL-2.1-or-later
// Random numbers that a seed repeats on any machine.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <utility>

namespace elf {

/**
 * Draws from a std::mt19937_64. The standard leaves open how its distributions draw, so this class
 * uses none of them. Its numbers repeat anywhere, up to the last digits of the maths library.
 */
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t bits() { return engine_(); }
  /** In [0, 1): the upper 53 bits over 2^53. */
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double from, double to) { return from + (to - from) * uniform(); }
  bool chance(double probability) { return uniform() < probability; }

  /** Two independent numbers of mean 0 and deviation 1, by Box and Muller from two uniform ones. */
  std::pair<double, double> normals() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    const double angle = 2 * std::numbers::pi * uniform();
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }
  /** The first of normals(). */
  double normal() { return normals().first; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace elf
