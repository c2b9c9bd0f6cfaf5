// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/lateness.h"

#include <algorithm>

namespace elf {

void Lateness::add(double expected, double taken) {
  factors_[count_++ % kWindow] = taken / expected;
  if (count_ < kWindow) return;
  constexpr std::size_t kSlowest = kWindow / 20;
  std::array<double, kWindow> sorted = factors_;
  const auto at = sorted.end() - (kSlowest + 1);
  std::nth_element(sorted.begin(), at, sorted.end());
  factor_ = std::max(kLeast, *at);
}

}  // namespace elf
