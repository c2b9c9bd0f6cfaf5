// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/runtime/recurring_sizes.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

constexpr Size kFrame{1920, 1088}, kPart{416, 416};

/** Adds sizes that none is like another. */
void addOthers(RecurringSizes& sizes, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sizes.add({32, static_cast<int>(32 * (i + 1))});
}

TEST(RecurringSizes, NothingRecursAtFirst) {
  RecurringSizes sizes;
  EXPECT_FALSE(sizes.recurs(kFrame));
  EXPECT_TRUE(sizes.ceased(kFrame));
  sizes.add(kFrame);
  EXPECT_FALSE(sizes.recurs(kFrame));
}

TEST(RecurringSizes, ASizeRecursFromItsShareOn) {
  constexpr std::size_t kEnough = RecurringSizes::kLatest / RecurringSizes::kShare;
  RecurringSizes sizes;
  for (std::size_t i = 0; i + 1 < kEnough; ++i) sizes.add(kPart);
  EXPECT_FALSE(sizes.recurs(kPart));
  sizes.add(kPart);
  EXPECT_TRUE(sizes.recurs(kPart));
  EXPECT_FALSE(sizes.recurs(kFrame));
  EXPECT_FALSE(sizes.ceased(kPart));
}

TEST(RecurringSizes, FiftySizesInTurnDoNotRecur) {
  RecurringSizes sizes;
  for (int round = 0; round < 20; ++round) addOthers(sizes, 50);
  for (int i = 1; i <= 50; ++i) EXPECT_FALSE(sizes.recurs({32, 32 * i})) << i;
}

TEST(RecurringSizes, WhatRecurredIsForgottenWithSomeDistance) {
  constexpr std::size_t kEnough = RecurringSizes::kLatest / RecurringSizes::kShare;
  RecurringSizes sizes;
  for (std::size_t i = 0; i < kEnough; ++i) sizes.add(kPart);
  addOthers(sizes, RecurringSizes::kLatest - kEnough + 1);
  EXPECT_FALSE(sizes.recurs(kPart));
  EXPECT_FALSE(sizes.ceased(kPart));
  addOthers(sizes, kEnough / 2);
  EXPECT_TRUE(sizes.ceased(kPart));
}

}  // namespace
}  // namespace elf
