// SPDX-License-Identifier: LGPL-2.1-or-later
// Merges boxes until none would absorb another one. Not installed.
#pragma once

#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "elf/geometry/box.h"

namespace elf {

/**
 * The `items` that are left when each, in order, is absorbed by the kept item that it fits best. Of
 * equal ones the first takes it. An item that absorbs another may grow, and is then tried again: an
 * item that did not fit before may do so now. It stays in its place.
 *
 * `boxOf(item)` is its box, which must be finite. `fit(one, other)` is how well `other` fits `one`;
 * 0: not at all. It is only called for items whose boxes touch. `absorb(one, other)` then merges
 * `other` into `one`.
 */
template <typename Item, typename BoxOf, typename Fit, typename Absorb>
std::vector<Item> absorbed(std::vector<Item> items, BoxOf&& boxOf, Fit&& fit, Absorb&& absorb) {
  constexpr float kFar = std::numeric_limits<float>::infinity();
  constexpr Box kGone{kFar, kFar, -kFar, -kFar};
  const auto touch = [](const Box& a, const Box& b) {
    return a.x0 <= b.x1 && b.x0 <= a.x1 && a.y0 <= b.y1 && b.y0 <= a.y1;
  };
  std::vector<Item> kept;
  // Close together in memory: most pairs are told apart by their boxes alone.
  std::vector<Box> boxes;
  /** kept.size() if none fits. */
  const auto bestFor = [&](const Item& candidate) {
    std::size_t best = kept.size();
    double bestFit = 0;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      if (!touch(boxes[i], boxOf(candidate))) continue;
      if (const double found = fit(std::as_const(kept[i]), candidate); found > bestFit) {
        best = i;
        bestFit = found;
      }
    }
    return best;
  };
  for (Item& next : items) {
    Item candidate = std::move(next);
    std::size_t at = kept.size();
    for (std::size_t best; (best = bestFor(candidate)) != kept.size(); at = best) {
      absorb(kept[best], candidate);
      candidate = std::move(kept[best]);
      boxes[best] = kGone;
    }
    if (at == kept.size()) {
      kept.emplace_back();
      boxes.emplace_back();
    }
    boxes[at] = boxOf(candidate);
    kept[at] = std::move(candidate);
  }
  std::size_t left = 0;
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (boxes[i].x0 != kFar) std::swap(kept[left++], kept[i]);
  kept.resize(left);
  return kept;
}

}  // namespace elf
