// SPDX-License-Identifier: LGPL-2.1-or-later
// When an answer is late.
#pragma once

#include <array>
#include <cstddef>

namespace elf {

/**
 * How much longer than expected the answers of one server take. Allocates nothing. Not thread-safe.
 */
class Lateness {
 public:
  static constexpr std::size_t kWindow = 40;
  /** Until kWindow answers have arrived. */
  static constexpr double kUnknown = 3;
  /** Smaller factors are not lateness: machines are noisy. */
  static constexpr double kLeast = 1.5;

  /** An answer was expected after `expected` seconds, > 0, and arrived after `taken`. */
  void add(double expected, double taken);

  /**
   * The factor of the expected time that one of twenty answers exceeded, over the last kWindow; at
   * least kLeast.
   */
  double factor() const { return factor_; }
  /** An answer has arrived. */
  bool known() const { return count_ > 0; }

 private:
  std::array<double, kWindow> factors_{};
  std::size_t count_ = 0;
  double factor_ = kUnknown;
};

}  // namespace elf
