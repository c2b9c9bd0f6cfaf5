// SPDX-License-Identifier: LGPL-2.1-or-later
// What readers of data sets leave out.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace elf {

/** Takes a sentence about data that are left out. It begins with FILE:LINE. May be empty. */
using DataWarning = std::function<void(const std::string&)>;

/** The boxes of one file that have no area. They are left out, with one warning. */
class FlatBoxes {
 public:
  /** `place` is FILE:LINE. */
  void add(const std::string& place) {
    if (count_++ == 0) first_ = place;
  }

  void report(const DataWarning& warn) const {
    if (count_ == 0 || !warn) return;
    warn(first_ + ": a box without width or height is left out" +
         (count_ > 1 ? ", and " + std::to_string(count_ - 1) + " after it" : ""));
  }

 private:
  std::size_t count_ = 0;
  std::string first_;
};

}  // namespace elf
