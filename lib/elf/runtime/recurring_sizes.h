// SPDX-License-Identifier: LGPL-2.1-or-later
// Which sizes of picture are worth a network that was compiled for them. Not installed.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "elf/geometry/box.h"

namespace elf {

/** Counts among the latest sizes, so that what recurred once and no more is forgotten. */
class RecurringSizes {
 public:
  /** So many of the latest count. */
  static constexpr std::size_t kLatest = 128;
  /** A size recurs that has one in so many of them. */
  static constexpr std::size_t kShare = 8;

  /** That a picture of this size came. */
  void add(Size size) {
    latest_.push_back(size);
    if (latest_.size() > kLatest) latest_.pop_front();
  }

  std::size_t countOf(Size size) const {
    std::size_t count = 0;
    for (const Size& each : latest_) count += each == size ? 1 : 0;
    return count;
  }

  /** Whether a network of its own pays for this size. */
  bool recurs(Size size) const { return countOf(size) >= kLatest / kShare; }
  /** Whether it no longer does, with some distance so that none comes and goes. */
  bool ceased(Size size) const { return countOf(size) < kLatest / kShare / 2; }

 private:
  std::deque<Size> latest_;
};

}  // namespace elf
