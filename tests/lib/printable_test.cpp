// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/printable.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

TEST(FormatBytes, CountsInThousands) {
  EXPECT_EQ(formatBytes(0), "0 bytes");
  EXPECT_EQ(formatBytes(999), "999 bytes");
  EXPECT_EQ(formatBytes(1000), "1.0 kB");
  EXPECT_EQ(formatBytes(999'949), "999.9 kB");
  EXPECT_EQ(formatBytes(999'950), "1.0 MB");
  EXPECT_EQ(formatBytes(3'660'092), "3.7 MB");
  EXPECT_EQ(formatBytes(std::uint64_t{4} << 30), "4.3 GB");
}

}  // namespace
}  // namespace elf
