// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/partitioner.h"

#include <gtest/gtest.h>

#include <random>

#include "elf/base/error.h"

namespace elf {
namespace {

Capacity servers(std::size_t count, ModelRules rules = {}) {
  Capacity capacity;
  capacity.servers.resize(count);
  capacity.rules = std::move(rules);
  return capacity;
}

Rp rpAt(Box box) {
  Rp rp;
  rp.box = rp.expected = box;
  return rp;
}

struct Scene {
  Size frame;
  std::vector<Rp> rps;
  Capacity capacity;
};

Scene randomScene(std::mt19937& random) {
  const auto upTo = [&](int most) {
    return static_cast<int>(random() % static_cast<unsigned>(most));
  };
  ModelRules rules;
  rules.align = 1 << upTo(6);
  rules.context = upTo(40);
  rules.multipleOf = upTo(2) ? 32 : 1;
  if (upTo(2)) rules.minSize = {64, 128};
  Scene scene{
      {1 + upTo(1500), 1 + upTo(1000)}, {}, servers(1 + static_cast<std::size_t>(upTo(6)), rules)};
  for (ServerState& server : scene.capacity.servers) {
    server.healthy = upTo(4) > 0;
    server.cost.b *= 1 + upTo(5);
  }
  for (int i = upTo(12); i > 0; --i) {
    const auto x = static_cast<float>(upTo(scene.frame.width));
    const auto y = static_cast<float>(upTo(scene.frame.height));
    const Box box =
        clip({x, y, x + 1 + static_cast<float>(upTo(300)), y + 1 + static_cast<float>(upTo(400))},
             scene.frame);
    if (!box.empty()) scene.rps.push_back(rpAt(box));
  }
  return scene;
}

// What Partitioner promises of every plan.
void expectSound(const Plan& plan, const Scene& scene) {
  const bool anyHealthy = std::any_of(scene.capacity.servers.begin(), scene.capacity.servers.end(),
                                      [](const ServerState& server) { return server.healthy; });
  std::vector<double> busy(scene.capacity.servers.size(), 0.0);
  std::vector<int> listed(scene.rps.size(), 0);
  for (const Part& part : plan.parts) {
    EXPECT_FALSE(part.rect.empty());
    EXPECT_TRUE(contains(wholeFrame(scene.frame), part.rect));
    ASSERT_GE(part.server, 0);
    ASSERT_LT(static_cast<std::size_t>(part.server), scene.capacity.servers.size());
    const ServerState& server = scene.capacity.servers[static_cast<std::size_t>(part.server)];
    EXPECT_TRUE(server.healthy || !anyHealthy);
    busy[static_cast<std::size_t>(part.server)] += server.cost.seconds(part.sentSize().area());
    for (const int rp : part.rps) {
      EXPECT_TRUE(contains(
          part.rect, roundOutwards(scene.rps[static_cast<std::size_t>(rp)].box, scene.frame)));
      ++listed[static_cast<std::size_t>(rp)];
    }
  }
  EXPECT_NEAR(plan.makespan, *std::max_element(busy.begin(), busy.end()), 1e-9);
  for (const int count : listed) EXPECT_LE(count, 1);
}

TEST(Partitioner, AnUnknownNameIsAnErrorThatNamesIt) {
  EXPECT_THROW(Partitioner::create("pizza"), Error);
}

TEST(Partitioner, EveryPlanIsSoundInRandomScenes) {
  std::mt19937 random(7);
  for (int i = 0; i < 400; ++i) {
    const Scene scene = randomScene(random);
    for (const Choice& choice : partitionerChoices()) {
      SCOPED_TRACE(std::string(choice.name) + ", scene " + std::to_string(i));
      const auto partitioner = Partitioner::create(choice.name);
      const PartitionInput input{scene.frame, scene.rps, scene.capacity};
      const Plan plan = partitioner->plan(input);
      expectSound(plan, scene);
      EXPECT_EQ(plan, partitioner->plan(input)) << "the same input gave another plan";
      if (partitioner->needsRps()) {
        std::size_t listed = 0;
        for (const Part& part : plan.parts) listed += part.rps.size();
        EXPECT_EQ(listed, scene.rps.size()) << "an RP is in no part";
      }
    }
  }
}

TEST(Partitioner, AWholeFrameSplitIsSoundCoversEverythingAndCutsNoRp) {
  std::mt19937 random(11);
  for (int i = 0; i < 400; ++i) {
    SCOPED_TRACE(i);
    const Scene scene = randomScene(random);
    const Plan plan = splitWholeFrame({scene.frame, scene.rps, scene.capacity}, PartKind::Scan);
    expectSound(plan, scene);
    int covered = 0;
    std::size_t listed = 0;
    for (const Part& part : plan.parts) {
      EXPECT_EQ(part.kind, PartKind::Scan);
      EXPECT_EQ(part.rect.height, scene.frame.height);
      if (part.rect.x <= covered) covered = std::max(covered, part.rect.right());
      listed += part.rps.size();
    }
    EXPECT_EQ(covered, scene.frame.width);
    EXPECT_EQ(listed, scene.rps.size());
  }
}

TEST(ElfPartitioner, NoRpsMeanNoParts) {
  const Capacity capacity = servers(2);
  EXPECT_TRUE(Partitioner::create("elf")->plan({{640, 480}, {}, capacity}).parts.empty());
}

TEST(ElfPartitioner, ACrowdIsPlannedAsSoundlyWithBoundedWork) {
  Scene scene{{1920, 1080}, {}, servers(3)};
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    const auto x = static_cast<float>(random() % 1900);
    const auto y = static_cast<float>(random() % 1000);
    scene.rps.push_back(rpAt({x, y, x + 20, y + 40}));
  }
  const Plan plan = Partitioner::create("elf")->plan({scene.frame, scene.rps, scene.capacity});
  expectSound(plan, scene);
  std::size_t listed = 0;
  for (const Part& part : plan.parts) listed += part.rps.size();
  EXPECT_EQ(listed, scene.rps.size());
}

TEST(ElfPartitioner, AnRpWithoutAreaStillGetsAPart) {
  const Scene scene{{640, 480}, {rpAt({640, 480, 640, 480}), rpAt({0, 9, 5, 9})}, servers(1)};
  const Plan plan = Partitioner::create("elf")->plan({scene.frame, scene.rps, scene.capacity});
  EXPECT_FALSE(plan.parts.empty());
  expectSound(plan, scene);
}

TEST(ElfPartitioner, FarObjectsGoToDifferentServers) {
  const Capacity capacity = servers(2);
  const std::vector<Rp> rps{rpAt({0, 0, 200, 200}), rpAt({1000, 500, 1200, 700})};
  const Plan plan = Partitioner::create("elf")->plan({{1280, 720}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 2U);
  EXPECT_NE(plan.parts[0].server, plan.parts[1].server);
}

TEST(ElfPartitioner, NearObjectsShareAPartWhereARequestCostsMoreThanThePixelsBetween) {
  const Capacity capacity = servers(1);
  const std::vector<Rp> rps{rpAt({0, 0, 50, 50}), rpAt({55, 0, 105, 50})};
  const Plan plan = Partitioner::create("elf")->plan({{1280, 720}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].rps.size(), 2U);
}

TEST(ElfPartitioner, AFasterServerGetsTheLargerPart) {
  Capacity capacity = servers(2);
  capacity.servers[1].cost.b /= 4;
  const std::vector<Rp> rps{rpAt({0, 0, 400, 400}), rpAt({1000, 500, 1100, 600})};
  const Plan plan = Partitioner::create("elf")->plan({{1280, 720}, rps, capacity});
  for (const Part& part : plan.parts) {
    if (part.rect.width >= 400) {
      EXPECT_EQ(part.server, 1);
    }
  }
}

TEST(ElfPartitioner, PartsSuitTheModel) {
  ModelRules rules;
  rules.align = 8;
  rules.context = 10;
  rules.minSize = {64, 128};
  const Capacity capacity = servers(1, rules);
  const std::vector<Rp> rps{rpAt({101, 103, 121, 123})};
  const Plan plan = Partitioner::create("elf")->plan({{640, 480}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 1U);
  const Rect& rect = plan.parts[0].rect;
  EXPECT_EQ(rect.x % 8, 0);
  EXPECT_EQ(rect.y % 8, 0);
  EXPECT_GE(rect.width, 64);
  EXPECT_GE(rect.height, 128);
  EXPECT_TRUE(contains(rect, {91, 93, 40, 40}));
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
