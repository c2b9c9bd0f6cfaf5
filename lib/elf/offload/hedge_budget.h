// SPDX-License-Identifier: LGPL-2.1-or-later
// How many parts may be sent a second time. After J. Dean and L. A. Barroso, The Tail at Scale,
// CACM 2013: a hedge is sent once the first request takes longer than nineteen of twenty do. This
// costs few extra requests and cuts the slowest ones.
#pragma once

#include <algorithm>

namespace elf {

/** Allows extra requests up to a share of all. Not thread-safe. */
class HedgeBudget {
 public:
  /** Extra requests that may follow each other at once: at the start, and after a calm time. */
  static constexpr double kAtStart = 3;
  static constexpr double kMost = 10;

  /** `share` extra requests for each other one, >= 0; 0: none. */
  void setShare(double share) { share_ = share; }
  /** A request that is not extra was sent. */
  void count() { left_ = std::min(kMost, left_ + share_); }
  /** Whether one more extra request may be sent now. It then counts as sent. */
  bool take() {
    if (share_ == 0 || left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  double share_ = 0;
  double left_ = kAtStart;
};

}  // namespace elf
