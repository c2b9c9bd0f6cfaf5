// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/cost_table.h"

#include <gtest/gtest.h>

#include <vector>

namespace elf {
namespace {

class CostTableTest : public ::testing::Test {
 protected:
  CostTableTest() {
    for (int i = 0; i < 3; ++i) table_.set(i, std::make_shared<SharedServer>());
  }
  int fastest(const std::vector<CostTable::Candidate>& candidates) const {
    return table_.fastest(candidates, 1000).server;
  }

  CostTable table_;
};

TEST_F(CostTableTest, NobodyIsFastestOfNone) {
  EXPECT_EQ(fastest({}), -1);
}

TEST_F(CostTableTest, TheFirstOfEqualOnesIsTaken) {
  EXPECT_EQ(fastest({{.server = 2}, {.server = 0}}), 2);
}

TEST_F(CostTableTest, WorkAndPausesCount) {
  const double cost = table_.shared(0).begin(1000, 0);
  EXPECT_GT(table_.seconds(0, 1000, 0), table_.seconds(1, 1000, 0));
  EXPECT_EQ(fastest({{.server = 0}, {.server = 1}}), 1);
  EXPECT_EQ(fastest({{.server = 0}, {.server = 1, .heldBack = 10}}), 0);
  table_.shared(0).end(cost);
  EXPECT_EQ(table_.seconds(0, 1000, 0), table_.seconds(1, 1000, 0));
}

TEST_F(CostTableTest, WhoHadThePartComesLast) {
  EXPECT_EQ(fastest({{.server = 0, .tried = true}, {.server = 1, .heldBack = 10}}), 1);
  EXPECT_EQ(fastest({{.server = 0, .tried = true}}), 0) << "better than nobody";
}

TEST_F(CostTableTest, BytesOfAPixelAreThoseOfWhatWasMadeLately) {
  const double unknown = table_.bytesPerPixel(0);
  for (int i = 0; i < 200; ++i) table_.countFile(0, 500, 1000);
  EXPECT_NEAR(table_.bytesPerPixel(0), 0.5, 1e-9);
  table_.countRaw(0);
  EXPECT_EQ(table_.bytesPerPixel(0), 3);
  table_.countFile(0, 500, 1000);
  EXPECT_NEAR(table_.bytesPerPixel(0), 0.5, 1e-9);
  EXPECT_EQ(table_.bytesPerPixel(1), unknown);
  table_.set(0, std::make_shared<SharedServer>());
  EXPECT_EQ(table_.bytesPerPixel(0), unknown) << "another server has that number now";
}

}  // namespace
}  // namespace elf
