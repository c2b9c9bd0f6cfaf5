// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/killed_server.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/hog.h"

namespace elf::gst {
namespace {

using elf::testing::KilledServerRun;

/** What a busy machine may add to a deadline. */
constexpr double kJitter = 100;

TEST(OneOfThreeServers, IsKilledInMidStreamAndStartedAgainAndNoFrameIsTheWorse) {
  if (!hasHog()) GTEST_SKIP() << elf::testing::kNoHog;
  KilledServerRun run{.program = std::string(std::getenv("ELF_TEST_BUILD_ROOT")) +
                                 "/lib/programs/elf-server"};
  run.run();
  ASSERT_EQ(run.records.size(), run.end) << "frames are lost";
  for (std::size_t i = 0; i < run.records.size(); ++i) EXPECT_EQ(run.records[i].id, i);
  EXPECT_EQ(run.skipped, 0U);
  EXPECT_LE(run.slowest(), static_cast<double>(run.deadline.count()) + kJitter);
  EXPECT_LE(run.untilWhole(), 2U);
  EXPECT_LE(run.broken(), 2U);
  EXPECT_TRUE(run.healthyAtEnd);
  EXPECT_TRUE(run.backAt()) << "the server that came back got no work";
}

}  // namespace
}  // namespace elf::gst
