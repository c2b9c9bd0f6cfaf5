// SPDX-License-Identifier: LGPL-2.1-or-later
// What a server remembers of its requests.
#include "elf/server/metrics.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

TEST(ModelMetrics, RemembersTheLastAnswersAndNoMore) {
  ServerMetrics all;
  ModelMetrics metrics(all, "fake");
  const auto most = static_cast<int>(ModelMetrics::kRecent);
  for (int i = 0; i < most + 7; ++i) metrics.answered(200, {.infer = std::chrono::microseconds(i)});
  const std::vector<RecentAnswer> recent = metrics.recent();
  ASSERT_EQ(recent.size(), ModelMetrics::kRecent);
  EXPECT_EQ(recent.front().times.infer.count(), 7);
  EXPECT_EQ(recent.back().times.infer.count(), most + 6);
  EXPECT_LE(recent.front().at, recent.back().at);
}

TEST(ModelMetrics, RefusedRequestsDoNotDriveAnswersOut) {
  ServerMetrics all;
  ModelMetrics metrics(all, "fake");
  metrics.addWaiting(3);
  metrics.answered(200, {});
  for (int i = 0; i < 1000; ++i) metrics.answered(503, {});
  ASSERT_EQ(metrics.recent().size(), 1U);
  EXPECT_EQ(metrics.recent()[0].waiting, 3U);
  EXPECT_EQ(metrics.tallies().codes, (std::map<unsigned, std::uint64_t>{{200, 1}, {503, 1000}}));
}

}  // namespace
}  // namespace elf
