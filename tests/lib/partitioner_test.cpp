// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/partitioner.h"

#include <gtest/gtest.h>

#include "elf/base/error.h"
#include "tests/support/scenes.h"

namespace elf {
namespace {

using testing::expectSound;
using testing::listedRps;
using testing::rpAt;
using testing::Scene;
using testing::Scenes;
using testing::servers;

TEST(Partitioner, AnUnknownNameIsAnErrorThatNamesIt) {
  EXPECT_THROW(Partitioner::create("pizza"), Error);
}

TEST(Partitioner, EveryPlanIsSoundInRandomScenes) {
  Scenes scenes(7);
  for (int i = 0; i < 400; ++i) {
    const Scene scene = scenes.any(12, 6);
    for (const Choice& choice : partitionerChoices()) {
      SCOPED_TRACE(std::string(choice.name) + ", scene " + std::to_string(i));
      const auto partitioner = Partitioner::create(choice.name);
      const Plan plan = partitioner->plan(scene.input());
      expectSound(plan, scene);
      EXPECT_EQ(plan, partitioner->plan(scene.input())) << "the same input gave another plan";
      if (partitioner->needsRps()) {
        EXPECT_EQ(listedRps(plan), scene.rps.size()) << "an RP is in no part";
      }
    }
  }
}

TEST(Partitioner, AWholeFrameSplitIsSoundAndCoversEverything) {
  Scenes scenes(11);
  for (int i = 0; i < 400; ++i) {
    SCOPED_TRACE(i);
    const Scene scene = scenes.any(12, 6);
    const Plan plan = splitWholeFrame(scene.frame, scene.capacity, scene.pixelAspect);
    expectSound(plan, scene);
    int covered = 0;
    for (const Part& part : plan.parts) {
      EXPECT_EQ(part.kind, PartKind::Full);
      EXPECT_EQ(part.rect.height, scene.frame.height);
      if (part.rect.x <= covered) covered = std::max(covered, part.rect.right());
    }
    EXPECT_EQ(covered, scene.frame.width);
  }
}

std::vector<int> widthsOf(const Plan& plan) {
  std::vector<int> widths;
  for (const Part& part : plan.parts) widths.push_back(part.rect.width);
  return widths;
}

TEST(Partitioner, OfAWholeFrameAServerBehindASlowLinkGetsLess) {
  Capacity capacity = servers(3);
  for (ServerState& server : capacity.servers) server.cost = {.b = 1e-7};
  capacity.servers[1].cost.c = 4e-7;  // doubles what a pixel of a JPEG takes
  capacity.servers[2].cost.c = 1e-7;  // the same as raw pixels
  capacity.servers[2].bytesPerPixel = 3;
  EXPECT_EQ(widthsOf(splitWholeFrame({1400, 100}, capacity)), (std::vector<int>{800, 400, 200}));
}

TEST(Partitioner, OfAWholeFrameAServerThatPixelsCostNothingGetsNearlyAll) {
  Capacity capacity = servers(2);
  capacity.servers[1].cost.b = 0;
  EXPECT_EQ(widthsOf(splitWholeFrame({1400, 100}, capacity)), (std::vector<int>{1, 1400}));
  capacity.servers[0].cost.b = 0;
  EXPECT_EQ(widthsOf(splitWholeFrame({1400, 100}, capacity)), (std::vector<int>{700, 700}));
}

TEST(Capacity, ATensorHasTheBytesOfWhatTheModelComputes) {
  ServerState server{.cost = {.a = 1, .b = 1e-6, .c = 1e-8}, .bytesPerPixel = 3};
  EXPECT_EQ(server.bytes(1000, 4000), 3000);
  EXPECT_DOUBLE_EQ(server.seconds(1000, 4000), 1 + 4e-3 + 3e-5);
  // Whoever takes it: nobody looks at it here.
  server.network = {std::shared_ptr<void>(), reinterpret_cast<const RemoteNetwork*>(&server)};
  server.bytesPerPixel = 12;
  EXPECT_EQ(server.bytes(1000, 4000), 48000);
  EXPECT_DOUBLE_EQ(server.seconds(1000, 4000), 1 + 4e-3 + 48e-5);
}

TEST(GridPartitioner, CoversTheFrameWithOneCellForEachServer) {
  for (std::size_t count = 1; count <= 8; ++count) {
    const Capacity capacity = servers(count);
    const Plan plan = Partitioner::create("grid")->plan({{1280, 720}, {}, capacity});
    ASSERT_EQ(plan.parts.size(), count);
    Rect all = plan.parts[0].rect;
    for (const Part& part : plan.parts) all = unite(all, part.rect);
    EXPECT_EQ(all, (Rect{0, 0, 1280, 720}));
  }
}

TEST(StripsPartitioner, WidensByATenthOfTheFrameLikeTheReleasedElf) {
  const Capacity capacity = servers(1);
  const std::vector<Rp> rps{rpAt({500, 300, 600, 400})};
  const Plan plan = Partitioner::create("strips")->plan({{1000, 800}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].rect, (Rect{400, 220, 300, 260}));
}

}  // namespace
}  // namespace elf
