// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/hedging.h"

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

void HedgeBudget::count() {
  left_ = std::min(kMost, left_ + share_);
}

bool HedgeBudget::take() {
  if (off() || left_ < 1) return false;
  left_ -= 1;
  return true;
}

}  // namespace elf
