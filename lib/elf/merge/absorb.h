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
 * The `items` that are left when each, in order, is absorbed by the first kept item that does so.
 * An item that absorbs another may grow, and is then tried again: an item that did not absorb it
 * before may do so now. It stays in its place.
 *
 * `boxOf(item)` is its box, which must be finite. `absorb(one, other)` merges `other` into `one`,
 * or changes neither and returns false. It is only called for items whose boxes touch.
 */
template <typename Item, typename BoxOf, typename Absorb>
std::vector<Item> absorbed(std::vector<Item> items, BoxOf&& boxOf, Absorb&& absorb) {
  constexpr float kFar = std::numeric_limits<float>::infinity();
  constexpr Box kGone{kFar, kFar, -kFar, -kFar};
  const auto touch = [](const Box& a, const Box& b) {
    return a.x0 <= b.x1 && b.x0 <= a.x1 && a.y0 <= b.y1 && b.y0 <= a.y1;
  };
  std::vector<Item> kept;
  // Close together in memory: most pairs are told apart by their boxes alone.
  std::vector<Box> boxes;
  for (Item& next : items) {
    Item candidate = std::move(next);
    std::size_t at = kept.size();
    for (std::size_t i = 0; i < boxes.size();) {
      if (!touch(boxes[i], boxOf(candidate)) || !absorb(kept[i], candidate)) {
        ++i;
        continue;
      }
      candidate = std::move(kept[i]);
      boxes[i] = kGone;
      at = i;
      i = 0;
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
