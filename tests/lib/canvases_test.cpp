// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/canvases.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "elf/discovery/frame_planner.h"
#include "elf/partition/cutting.h"
#include "elf/partition/packing.h"
#include "tests/support/scenes.h"

namespace elf {
namespace {

using testing::expectSound;
using testing::expectSoundCanvases;
using testing::listedRps;
using testing::rpAt;
using testing::Scene;
using testing::Scenes;
using testing::servers;

ModelRules fixed(int objectSize = 0) {
  ModelRules rules;
  rules.fixedSize = {640, 640};
  rules.context = 32;
  rules.objectSize = objectSize;
  return rules;
}

Plan planOf(const Scene& scene) {
  return Partitioner::create("elf")->plan(scene.input());
}

Plan framePlan(const Scene& scene) {
  FramePlanner planner(Partitioner::create("elf"));
  FramePlanner::Settings settings;
  settings.discovery.scanInterval = 0;
  planner.setSettings(settings);
  return planner.plan(scene.frame, scene.rps, scene.capacity, nullptr, 1, scene.pixelAspect);
}

TEST(Packing, RectanglesStayOnTheirPagesAndApart) {
  Scenes draw(3);
  int fitted = 0;
  for (int round = 0; round < 300; ++round) {
    const Size page{100 + draw.upTo(600), 100 + draw.upTo(600)};
    const int pages = 1 + draw.upTo(3), gap = draw.upTo(12);
    std::vector<Size> sizes;
    for (int i = draw.upTo(30); i >= 0; --i)
      sizes.push_back({1 + draw.upTo(page.width / 2), 1 + draw.upTo(page.height / 2)});
    const auto places = packed(sizes, page, pages, gap);
    if (!places) continue;
    ++fitted;
    ASSERT_EQ(places->size(), sizes.size());
    const auto rectOf = [&](std::size_t i, int around) {
      return Rect{(*places)[i].x - around, (*places)[i].y - around, sizes[i].width + 2 * around,
                  sizes[i].height + 2 * around};
    };
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_LT((*places)[i].page, pages);
      EXPECT_TRUE(contains(wholeFrame(page), rectOf(i, 0)));
      for (std::size_t j = 0; j < i; ++j) {
        if ((*places)[i].page == (*places)[j].page) {
          EXPECT_TRUE(intersect(rectOf(i, gap), rectOf(j, 0)).empty());
        }
      }
    }
  }
  EXPECT_GT(fitted, 50);
}

TEST(Packing, WhatHasNoRoomIsNotPacked) {
  const std::vector<Size> one{{100, 100}}, two{{100, 60}, {60, 50}};
  EXPECT_TRUE(packed(one, {100, 100}, 1, 8)) << "no gap is needed at the rim";
  EXPECT_FALSE(packed(one, {99, 100}, 5, 0));
  EXPECT_FALSE(packed(two, {100, 100}, 1, 0));
  EXPECT_TRUE(packed(two, {100, 100}, 2, 0));
}

TEST(Canvases, PlansOfAnySceneAreSoundAndAskForEveryRp) {
  Scenes draw(11);
  for (int round = 0; round < 400; ++round) {
    Scene scene = draw.any(40, 5);
    scene.capacity.rules.maxSize = {};
    scene.capacity.rules.fixedSize = {32 * (4 + draw.upTo(20)), 32 * (4 + draw.upTo(20))};
    scene.capacity.maxInFlight = 1 + draw.upTo(3);
    SCOPED_TRACE(round);
    const Plan plan = planOf(scene);
    expectSound(plan, scene);
    expectSoundCanvases(plan, kCanvasGap);
    EXPECT_LE(plan.canvases.size(), serversForRuns(scene.capacity).size());
    if (!plan.parts.empty()) {
      EXPECT_EQ(listedRps(plan), scene.rps.size());
    }
    const Plan frame = framePlan(scene);
    expectSound(frame, scene);
    if (!scene.rps.empty()) {
      EXPECT_FALSE(frame.parts.empty());
    }
  }
}

TEST(Canvases, FewObjectsTakeOneRunAtTheirOwnResolution) {
  Scene scene{{1920, 1080},
              {rpAt({100, 100, 200, 350}), rpAt({1700, 800, 1800, 1000})},
              servers(3, fixed())};
  const Plan plan = planOf(scene);
  ASSERT_EQ(plan.canvases.size(), 1U);
  EXPECT_EQ(plan.canvases[0].size, (Size{640, 640}));
  ASSERT_EQ(plan.parts.size(), 2U);
  for (const Part& part : plan.parts) EXPECT_EQ(part.scale, 1);
}

TEST(Canvases, AnObjectLargerThanTheModelsInputIsShrunk) {
  Scene scene{{1920, 1080}, {rpAt({100, 0, 500, 1080})}, servers(2, fixed())};
  const Plan plan = planOf(scene);
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_NEAR(plan.parts[0].scale, 640.0 / 1080, 0.02);
}

TEST(Canvases, ALargeObjectIsShrunkOnlyAsFarAsTheModelSeesItAndTheCanvasHasNoRoom) {
  // Two people of 500 pixels fit into one canvas if they are shrunk.
  Scene scene{{1920, 1080},
              {rpAt({100, 100, 500, 600}), rpAt({1200, 100, 1600, 600})},
              servers(2, fixed(100))};
  const Plan plan = planOf(scene);
  ASSERT_EQ(plan.canvases.size(), 1U);
  for (const Part& part : plan.parts) {
    EXPECT_GT(part.scale, 0.5) << "as large as the canvas allows";
    EXPECT_LT(part.scale, 1);
  }
  scene.scale = false;
  EXPECT_EQ(planOf(scene).canvases.size(), 2U);
}

TEST(Canvases, NoMoreRunsThanWholeFramesLeaveRoomFor) {
  Scene scene{{1920, 1080}, {}, servers(4, fixed())};
  for (int i = 0; i < 24; ++i) {
    const auto x = static_cast<float>(i % 8 * 230), y = static_cast<float>(i / 8 * 350);
    scene.rps.push_back(rpAt({x, y, x + 120, y + 250}));
  }
  EXPECT_EQ(planOf(scene).canvases.size(), 4U);
  scene.capacity.maxInFlight = 2;
  EXPECT_LE(planOf(scene).canvases.size(), 2U);
  scene.capacity.maxInFlight = 4;
  EXPECT_EQ(planOf(scene).canvases.size(), 1U);
}

TEST(Canvases, ASlowServerIsLeftOut) {
  Capacity capacity = servers(3, fixed());
  capacity.servers[0].busy = 1;
  EXPECT_EQ(serversForRuns(capacity), (std::vector<int>{1, 2}));
}

TEST(Canvases, ACrowdThatCanvasesWouldShrinkMoreIsAWholeFrame) {
  Scene scene{{1280, 720}, {}, servers(2, fixed())};
  for (int i = 0; i < 60; ++i) {
    const auto x = static_cast<float>(i % 15 * 85), y = static_cast<float>(i / 15 * 180);
    scene.rps.push_back(rpAt({x, y, x + 75, y + 170}));
  }
  // Two strips of the frame are shrunk to 0.89.
  const Plan plan = framePlan(scene);
  EXPECT_LE(plan.canvases.empty() ? plan.parts.size() : plan.canvases.size(), 2U);
  for (const Part& part : plan.parts) {
    EXPECT_GE(
        part.kind == PartKind::Full ? scene.capacity.rules.inputScale(part.sentSize()) : part.scale,
        640.0 / 720);
  }
}

TEST(Canvases, APlacedModelGetsNone) {
  ModelRules rules = fixed();
  rules.placed = true;
  Scene scene{{1920, 1080}, {rpAt({100, 100, 200, 350})}, servers(2, rules)};
  EXPECT_TRUE(planOf(scene).canvases.empty());
}

}  // namespace
}  // namespace elf
