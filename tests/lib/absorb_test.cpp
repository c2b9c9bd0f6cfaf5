// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/merge/absorb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace elf {
namespace {

struct Item {
  Box box;
  /** Those of one part take none of each other in. */
  int part = 0;
  int number = 0;

  bool operator==(const Item&) const = default;
};

const Box& boxOf(const Item& item) {
  return item.box;
}

/** In steps, so that some are equal. */
double fit(const Item& one, const Item& other) {
  if (one.part == other.part) return 0;
  return std::floor(iou(one.box, other.box) * 10) / 10 - 0.1;
}

/** Grows, so that what takes one in may be taken in itself. */
void merge(Item& one, const Item& other) {
  one.box = unite(one.box, other.box);
  one.part = std::max(one.part, other.part);
}

/** What absorbed() says, each with each. */
std::vector<Item> oneByOne(const std::vector<Item>& items) {
  std::vector<Item> kept;
  for (Item candidate : items) {
    std::size_t at = kept.size();
    while (true) {
      const auto taker =
          std::ranges::max_element(kept, {}, [&](const Item& one) { return fit(one, candidate); });
      if (taker == kept.end() || fit(*taker, candidate) <= 0) break;
      at = static_cast<std::size_t>(taker - kept.begin());
      merge(*taker, candidate);
      candidate = *taker;
      kept.erase(taker);
    }
    kept.insert(kept.begin() + static_cast<std::ptrdiff_t>(at), candidate);
  }
  return kept;
}

TEST(Absorbed, IsWhatComparingEachWithEachLeaves) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> place(0, 100), side(5, 60);
  std::size_t taken = 0;
  for (int round = 0; round < 1000; ++round) {
    std::vector<Item> items(random() % 30);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const float x = place(random), y = place(random);
      items[i] = {{x, y, x + side(random), y + side(random)},
                  static_cast<int>(random() % 4),
                  static_cast<int>(i)};
    }
    const std::vector<Item> left = absorbed(items, boxOf, fit, merge);
    ASSERT_EQ(left, oneByOne(items)) << round;
    taken += items.size() - left.size();
  }
  EXPECT_GT(taken, 4000U) << "else the scenes were too easy";
}

TEST(Absorbed, OnlyBoxesThatTouchAreCompared) {
  std::vector<Item> items;
  for (int i = 0; i < 1000; ++i) {
    const auto x = static_cast<float>(20 * i);
    items.push_back({{x, 0, x + 10, 10}, 0, i});
  }
  items.push_back({{10, 10, 15, 15}, 1, 1000});
  int compared = 0;
  const auto count = [&](const Item&, const Item&) {
    ++compared;
    return 0;
  };
  const auto left = absorbed(items, boxOf, count, merge);
  EXPECT_EQ(left, items);
  EXPECT_EQ(compared, 1) << "a corner in common is enough";
}

}  // namespace
}  // namespace elf
