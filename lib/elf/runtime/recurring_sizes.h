// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds sizes of picture that are worth a network compiled for them. Not installed.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "elf/geometry/box.h"

namespace elf {

/** Counts only the latest sizes, so that a size that recurred long ago is forgotten. */
class RecurringSizes {
 public:
  /** The number of latest sizes that count. */
  static constexpr std::size_t kLatest = 128;
  /** A size recurs if at least one in this many of them has it. */
  static constexpr std::size_t kShare = 8;

  /** Counts a picture of this size. */
  void add(Size size) {
    latest_.push_back(size);
    if (latest_.size() > kLatest) latest_.pop_front();
  }

  std::size_t countOf(Size size) const {
    std::size_t count = 0;
    for (const Size& each : latest_) count += each == size ? 1 : 0;
    return count;
  }

  /** Whether a separate network for this size pays. */
  bool recurs(Size size) const { return countOf(size) >= kLatest / kShare; }
  /** Whether it no longer does. A lower threshold, so that networks do not come and go. */
  bool ceased(Size size) const { return countOf(size) < kLatest / kShare / 2; }

 private:
  std::deque<Size> latest_;
};

}  // namespace elf
