// SPDX-License-Identifier: LGPL-2.1-or-later
// Mean and percentiles of measured values.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

namespace elf::eval {

struct Summary {
  double mean = 0;
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
};

/**
 * The nearest-rank percentile: the smallest of the values that at least `percent` % of them do not
 * exceed, so it is always one of them. `sorted` is in ascending order and not empty. `percent` is
 * within 0..100.
 */
inline double percentile(std::span<const double> sorted, double percent) {
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
}

/** All zero without values. */
inline Summary summarise(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {sum / static_cast<double>(values.size()), percentile(values, 50), percentile(values, 95),
          percentile(values, 99)};
}

}  // namespace elf::eval
