// SPDX-License-Identifier: LGPL-2.1-or-later
// When a part is sent a second time, because its first server is slower than it should be. After
// J. Dean and L. A. Barroso, The Tail at Scale, CACM 2013: a second request goes out once the first
// is later than nineteen of twenty are, which costs few more requests and cuts the slowest ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace elf {

/**
 * How much longer than expected the answers of one server take. Allocates nothing. Not thread-safe.
 */
class Lateness {
 public:
  static constexpr std::size_t kWindow = 40;
  /** While fewer than kWindow answers have come. */
  static constexpr double kUnknown = 3;
  /** Less than this is no lateness: machines are noisy. */
  static constexpr double kLeast = 1.5;

  /** An answer was expected after `expected` seconds, > 0, and came after `taken`. */
  void add(double expected, double taken);

  /**
   * The factor of its expected time that one of twenty answers exceeded, of the last kWindow; at
   * least kLeast.
   */
  double factor() const { return factor_; }
  /** An answer has come. */
  bool known() const { return count_ > 0; }

 private:
  std::array<double, kWindow> factors_{};
  std::size_t count_ = 0;
  double factor_ = kUnknown;
};

/** Allows extra requests up to a share of all. Not thread-safe. */
class HedgeBudget {
 public:
  /** Extra requests that may follow each other at once: at the start, and after a calm time. */
  static constexpr double kAtStart = 3;
  static constexpr double kMost = 10;

  /** `share` extra requests for each other one, >= 0; 0: none at all. */
  void setShare(double share) { share_ = share; }
  /** A request that is not extra went out. */
  void count();
  /** Whether one more extra request may go out now, which then counts as gone. */
  bool take();
  /** True where none ever may. */
  bool off() const { return share_ == 0; }

 private:
  double share_ = 0;
  double left_ = kAtStart;
};

}  // namespace elf
