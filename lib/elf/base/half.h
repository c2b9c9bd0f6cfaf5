// SPDX-License-Identifier: LGPL-2.1-or-later
// Conversions of single 16-bit floating-point numbers. Not installed.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace elf {

/** IEEE 754 binary16. */
inline float halfToFloat(std::uint16_t half) {
  constexpr int kMantissa = 10, kBias = 15;
  const int exponent = half >> kMantissa & 0x1F, mantissa = half & 0x3FF;
  float value = 0;
  if (exponent == 0x1F)
    value = mantissa == 0 ? INFINITY : NAN;
  else if (exponent == 0)
    value = std::ldexp(static_cast<float>(mantissa), 1 - kBias - kMantissa);
  else
    value = std::ldexp(static_cast<float>(mantissa | 1 << kMantissa), exponent - kBias - kMantissa);
  return half & 0x8000 ? -value : value;
}

/** Rounds to nearest, ties to even; infinity from 65520 on. */
inline std::uint16_t floatToHalf(float value) {
  constexpr int kMantissa = 10, kBias = 15;
  constexpr std::uint16_t kInfinity = 0x7C00, kNan = 0x7E00;
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return sign | kNan;
  const float size = std::abs(value);
  if (size >= 65520.0F) return sign | kInfinity;
  // Steps are at least as wide as those of the smallest normal number.
  const int exponent = size == 0 ? 1 - kBias : std::max(std::ilogb(size), 1 - kBias);
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(size, kMantissa - exponent)));
  // If rounding reaches the next power of two, the carry raises the exponent.
  return static_cast<std::uint16_t>(sign + ((exponent + kBias - 1) << kMantissa) + steps);
}

/** The upper half of a float. */
inline float bfloatToFloat(std::uint16_t bfloat) {
  return std::bit_cast<float>(std::uint32_t{bfloat} << 16);
}

/** Rounds to nearest, ties to even. */
inline std::uint16_t floatToBfloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace elf
