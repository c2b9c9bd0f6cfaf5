// SPDX-License-Identifier: LGPL-2.1-or-later
// Boxes that take each other in until none is left that another one would. Not installed.
#pragma once

#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "elf/geometry/box.h"

namespace elf {

/**
 * What is left of `items` when, one after the other, each is taken in by the first one kept so far
 * that does so. What takes one in may grow by it, and is then asked for anew: another one may take
 * it in, which it would not have done before. It stays in its place.
 *
 * `boxOf(item)` is its box, finite. `absorb(one, other)` takes `other` into `one`, or changes
 * neither and is false; it is only asked about items whose boxes touch.
 */
template <typename Item, typename BoxOf, typename Absorb>
std::vector<Item> absorbed(std::vector<Item> items, BoxOf&& boxOf, Absorb&& absorb) {
  constexpr float kFar = std::numeric_limits<float>::infinity();
  constexpr Box kGone{kFar, kFar, -kFar, -kFar};
  const auto touch = [](const Box& a, const Box& b) {
    return a.x0 <= b.x1 && b.x0 <= a.x1 && a.y0 <= b.y1 && b.y0 <= a.y1;
  };
  std::vector<Item> kept;
  // Close together in memory: most pairs are told apart by them alone.
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
