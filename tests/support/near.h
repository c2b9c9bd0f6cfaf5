// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include "elf/geometry/box.h"

namespace elf::testing {

inline void expectNear(const Box& is, const Box& expected, double tolerance) {
  EXPECT_NEAR(is.x0, expected.x0, tolerance);
  EXPECT_NEAR(is.y0, expected.y0, tolerance);
  EXPECT_NEAR(is.x1, expected.x1, tolerance);
  EXPECT_NEAR(is.y1, expected.y1, tolerance);
}

}  // namespace elf::testing
