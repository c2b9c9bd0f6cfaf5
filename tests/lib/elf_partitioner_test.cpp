// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "elf/partition/canvases.h"
#include "elf/partition/cutting.h"
#include "elf/partition/partitioner.h"
#include "tests/support/scenes.h"

namespace elf {
namespace {

using testing::expectSound;
using testing::listedRps;
using testing::rpAt;
using testing::Scene;
using testing::Scenes;
using testing::servers;

Plan planOf(const PartitionInput& input) {
  return Partitioner::create("elf")->plan(input);
}

/**
 * The smallest makespan of all ways to put RPs into parts, each on any server: every RP in turn
 * goes into each part there is, and into a new one on each server. Only what is no better than the
 * best so far is not followed up; where the model shrinks large parts, one may become cheaper by an
 * RP more, and everything is. For models without a fixed size.
 */
class Oracle {
 public:
  explicit Oracle(const Scene& scene) : scene_(scene), rps_(scene.rps) {
    std::sort(rps_.begin(), rps_.end(),
              [](const Rp& a, const Rp& b) { return a.box.area() > b.box.area(); });
    for (const ServerState& server : scene.capacity.servers) done_.push_back(server.busy);
  }

  /** `known` is the makespan of some plan. */
  double makespan(double known) {
    best_ = known;
    place(0);
    return best_;
  }

 private:
  struct Open {
    Wanted wanted;
    double scale = 0;
    std::size_t server = 0;
    bool several = false;
    double seconds = 0;
  };

  /** Of what is placed. */
  double makespan() const {
    double slowest = 0;
    for (const Open& open : parts_) slowest = std::max(slowest, done_[open.server]);
    return slowest;
  }

  /** Places the RPs from `next` on. */
  void place(std::size_t next) {
    if (next == rps_.size()) {
      best_ = std::min(best_, makespan());
      return;
    }
    const Wanted wanted = wantedFor(rps_[next], scene_.capacity.rules, scene_.frame);
    const double scale = leastScale(rps_[next], scene_.capacity.rules, scene_.pixelAspect);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Open& open = parts_[i];
      follow(i, {unite(open.wanted, wanted), std::max(open.scale, scale), open.server, true}, next);
    }
    for (std::size_t s = 0; s < done_.size(); ++s) {
      parts_.push_back({wanted, scale, s});
      follow(parts_.size() - 1, parts_.back(), next);
      parts_.pop_back();
    }
  }

  void follow(std::size_t index, Open open, std::size_t next) {
    const ModelRules& rules = scene_.capacity.rules;
    Part part;
    part.pixelAspect = scene_.pixelAspect;
    part.scale = scene_.scale ? sentScale(open.scale) : 1;
    const auto cut = [&](double scale) {
      return cutFor(open.wanted, scale, rules, scene_.frame, scene_.pixelAspect);
    };
    const auto fitting = [&] {
      return rules.inputScale(part.rect.size().withSquarePixels(part.pixelAspect));
    };
    part.rect = cut(part.scale);
    if (const double fits = fitting(); fits < part.scale) {
      part.rect = cut(fits);
      part.scale = std::min(fits, fitting());
      if (open.several && part.scale < open.scale) return;
    }
    open.seconds =
        secondsFor(part.sentSize(), scene_.capacity.servers[open.server], scene_.capacity);
    const Open before = std::exchange(parts_[index], open);
    const double was = done_[open.server];
    done_[open.server] += open.seconds - before.seconds;
    if (!rules.maxSize.empty() || makespan() < best_) place(next + 1);
    done_[open.server] = was;
    parts_[index] = before;
  }

  const Scene& scene_;
  std::vector<Rp> rps_;
  std::vector<Open> parts_;
  /** By server. */
  std::vector<double> done_;
  double best_ = 0;
};

/** By how much makespans are above the oracle's. */
struct Gap {
  double mean = 0;
  double most = 0;
  /** Of the means of both makespans. */
  double ofMeans = 0;
};

template <typename Draw>
Gap gapOver(int count, Draw draw) {
  Gap gap;
  double planned = 0, least = 0;
  for (int i = 0; i < count; ++i) {
    const Scene scene = draw();
    const Plan plan = planOf(scene.input());
    expectSound(plan, scene);
    const double best = Oracle(scene).makespan(plan.makespan);
    gap.mean += (plan.makespan / best - 1) / count;
    gap.most = std::max(gap.most, plan.makespan / best - 1);
    planned += plan.makespan;
    least += best;
  }
  gap.ofMeans = planned / least - 1;
  std::printf("  above the oracle: mean %.3f %%, at most %.2f %%, of means %.3f %%\n",
              100 * gap.mean, 100 * gap.most, 100 * gap.ofMeans);
  return gap;
}

TEST(ElfPartitioner, IsExactForSmallCases) {
  Scenes scenes(1);
  const Gap gap = gapOver(3000, [&] { return scenes.usual(1, 8, scenes.speeds(4)); });
  EXPECT_LT(gap.most, 1e-9);
}

TEST(ElfPartitioner, IsExactForSmallCasesWhateverTheModelAsks) {
  Scenes scenes(2);
  const Gap gap = gapOver(1000, [&] {
    Scene scene;
    while (scene.rps.empty()) scene = scenes.any(6, 4);
    scene.capacity.rules.fixedSize = scene.capacity.rules.maxSize = {};
    for (ServerState& server : scene.capacity.servers) server.healthy = true;
    return scene;
  });
  EXPECT_LT(gap.most, 1e-9);
}

TEST(ElfPartitioner, IsNearlyExactForMore) {
  Scenes scenes(3);
  const Gap gap = gapOver(200, [&] { return scenes.usual(9, 12, scenes.speeds(4)); });
  EXPECT_LT(gap.mean, 0.02);
}

TEST(ElfPartitioner, IsNearlyExactWhereTheModelShrinksLargeParts) {
  Scenes scenes(6);
  const Gap gap = gapOver(60, [&] {
    Scene scene = scenes.usual(9, 9, scenes.speeds(2));
    ModelRules& rules = scene.capacity.rules;
    rules.maxSize = {200 + scenes.upTo(400), 200 + scenes.upTo(400)};
    rules.objectSize = 1 + scenes.upTo(30);
    scene.scale = scenes.upTo(2) > 0;
    return scene;
  });
  EXPECT_LT(gap.mean, 0.01);
}

TEST(ElfPartitioner, OfTwoServersOneHalfAsFastTheWaitIsTheOracles) {
  Scenes scenes(4);
  const Gap gap = gapOver(500, [&] { return scenes.usual(1, 10, {1, 0.5}); });
  EXPECT_LT(gap.ofMeans, 0.05);
}

TEST(ElfPartitioner, PlansAreSoundForManyRpsAndServersAndSuitTheModel) {
  Scenes scenes(5);
  for (int i = 0; i < 200; ++i) {
    SCOPED_TRACE(i);
    const Scene scene = scenes.any(300, 16);
    const ModelRules& rules = scene.capacity.rules;
    const Plan plan = planOf(scene.input());
    expectSound(plan, scene);
    testing::expectSoundCanvases(plan, kCanvasGap);
    for (const PartCanvas& canvas : plan.canvases) {
      EXPECT_EQ(rules.inputSize(canvas.size), canvas.size) << "the model pads or shrinks it";
    }
    EXPECT_EQ(plan, planOf(scene.input())) << "the same input gave another plan";
    EXPECT_EQ(listedRps(plan), scene.rps.size());
    const Size bound = rules.fixedSize.empty() ? rules.maxSize : rules.fixedSize;
    for (const Part& part : plan.parts) {
      const Rect& rect = part.rect;
      const Size sent = part.sentSize();
      EXPECT_EQ(rect.x % rules.align, 0);
      EXPECT_EQ(rect.y % rules.align, 0);
      if (!bound.empty()) {
        EXPECT_LE(sent.width, bound.width);
        EXPECT_LE(sent.height, bound.height);
      }
      double wanted = 0;
      for (const int index : part.rps)
        wanted = std::max(wanted, leastScale(scene.rps[static_cast<std::size_t>(index)], rules,
                                             scene.pixelAspect));
      if (part.place) {
        EXPECT_EQ(part.place->x % (rules.fixedSize.empty() ? rules.align : 1), 0);
        EXPECT_EQ(part.place->y % (rules.fixedSize.empty() ? rules.align : 1), 0);
        continue;
      }
      if (part.scale < wanted) {
        EXPECT_LT(rules.inputScale(scene.input().squareSize(rect)), wanted)
            << "it need not have been shrunk";
      }
      // What is shrunk fits, and that is all; a model of one size asks for nothing else.
      if (part.scale < (scene.scale ? sentScale(wanted) : 1) || !rules.fixedSize.empty()) continue;
      // Sent pixels for each of the frame. Where these are more than one, not every size is
      // possible.
      const double scaleX = part.scale * std::max(1.0, part.pixelAspect);
      const double scaleY = part.scale / std::min(1.0, part.pixelAspect);
      const auto suits = [&](int length, double scale) {
        const int multiple = rules.multipleOf, over = length % multiple;
        return std::min(over, multiple - over) <= (scale > 1 ? scale / 2 + 0.5 : 0);
      };
      if (rect.right() < scene.frame.width) {
        EXPECT_PRED2(suits, sent.width, scaleX);
      }
      if (rect.bottom() < scene.frame.height) {
        EXPECT_PRED2(suits, sent.height, scaleY);
      }
      if (rect.width < scene.frame.width) {
        EXPECT_GE(sent.width, rules.minSize.width);
      }
      if (rect.height < scene.frame.height) {
        EXPECT_GE(sent.height, rules.minSize.height);
      }
      for (const int index : part.rps) {
        const Rp& rp = scene.rps[static_cast<std::size_t>(index)];
        const auto context = [&](double scale) {
          return std::max(static_cast<float>(std::floor(rules.context / scale)),
                          rules.contextShare * rp.expected.height());
        };
        const float x = context(scaleX), y = context(scaleY);
        EXPECT_TRUE(contains(rect, roundOutwards(grow(rp.box, {x, y, x, y}), scene.frame)));
      }
    }
  }
}

TEST(ElfPartitioner, NoRpsMeanNoParts) {
  const Capacity capacity = servers(2);
  EXPECT_TRUE(planOf({{640, 480}, {}, capacity}).parts.empty());
}

TEST(ElfPartitioner, ACrowdIsPlannedAsSoundlyWithBoundedWork) {
  Scene scene{{1920, 1080}, {}, servers(3)};
  Scenes scenes(3);
  for (int i = 0; i < 5000; ++i) {
    const auto x = static_cast<float>(scenes.upTo(1900));
    const auto y = static_cast<float>(scenes.upTo(1000));
    scene.rps.push_back(rpAt({x, y, x + 20, y + 40}));
  }
  const Plan plan = planOf(scene.input());
  expectSound(plan, scene);
  EXPECT_EQ(listedRps(plan), scene.rps.size());
}

TEST(ElfPartitioner, AnRpWithoutAreaStillGetsAPart) {
  const Scene scene{{640, 480}, {rpAt({640, 480, 640, 480}), rpAt({0, 9, 5, 9})}, servers(1)};
  const Plan plan = planOf(scene.input());
  EXPECT_EQ(listedRps(plan), 2U);
  expectSound(plan, scene);
}

TEST(ElfPartitioner, FarObjectsGoToDifferentServers) {
  const Capacity capacity = servers(2);
  const std::vector<Rp> rps{rpAt({0, 0, 200, 200}), rpAt({1000, 500, 1200, 700})};
  const Plan plan = planOf({{1280, 720}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 2U);
  EXPECT_NE(plan.parts[0].server, plan.parts[1].server);
}

TEST(ElfPartitioner, NearObjectsShareAPartWhereARequestCostsMoreThanThePixelsBetween) {
  const Capacity capacity = servers(1);
  const std::vector<Rp> rps{rpAt({0, 0, 50, 50}), rpAt({55, 0, 105, 50})};
  const Plan plan = planOf({{1280, 720}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].rps.size(), 2U);
}

TEST(ElfPartitioner, AFasterServerGetsTheLargerPart) {
  Capacity capacity = servers(2);
  capacity.servers[1].cost.b /= 4;
  const std::vector<Rp> rps{rpAt({0, 0, 400, 400}), rpAt({1000, 500, 1100, 600})};
  const Plan plan = planOf({{1280, 720}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 2U);
  EXPECT_EQ(plan.parts[0].server, 1);
}

TEST(ElfPartitioner, AServerThatIsBusyOrCostsTooMuchForARequestGetsNothing) {
  Capacity capacity = servers(3);
  capacity.servers[0].busy = 1;
  capacity.servers[1].cost.a = 1;
  const std::vector<Rp> rps{rpAt({0, 0, 200, 200}), rpAt({1000, 500, 1200, 700})};
  for (const Part& part : planOf({{1280, 720}, rps, capacity}).parts) EXPECT_EQ(part.server, 2);
}

TEST(ElfPartitioner, WhatDoesNotDecideTheWaitStillSavesPixels) {
  // The large object decides; the others are done sooner one by one, but overlap.
  const Capacity capacity = servers(4);
  const std::vector<Rp> rps{rpAt({500, 0, 1100, 600}), rpAt({0, 0, 100, 100}),
                            rpAt({50, 0, 150, 100}), rpAt({100, 0, 200, 100})};
  const Plan plan = planOf({{1280, 720}, rps, capacity});
  EXPECT_DOUBLE_EQ(plan.sentPixels(), 600 * 600 + 200 * 100);
}

TEST(ElfPartitioner, PartsSuitTheModel) {
  ModelRules rules;
  rules.align = 8;
  rules.context = 10;
  rules.minSize = {64, 128};
  const Capacity capacity = servers(1, rules);
  const std::vector<Rp> rps{rpAt({101, 103, 121, 123})};
  const Plan plan = planOf({{640, 480}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 1U);
  const Rect& rect = plan.parts[0].rect;
  EXPECT_EQ(rect.x % 8, 0);
  EXPECT_EQ(rect.y % 8, 0);
  EXPECT_GE(rect.width, 64);
  EXPECT_GE(rect.height, 128);
  EXPECT_TRUE(contains(rect, {91, 93, 40, 40}));
}

// --- A share of the object's height as context ---

TEST(ElfPartitioner, EachObjectHasTheContextOfItsHeight) {
  const Capacity capacity = servers(2, {.context = 10, .contextShare = 0.25F});
  const std::vector<Rp> rps{rpAt({100, 100, 120, 132}), rpAt({1000, 300, 1200, 700})};
  const Plan far = planOf({{1920, 1080}, rps, capacity});
  ASSERT_EQ(far.parts.size(), 2U);
  EXPECT_EQ(far.parts[0].rect, (Rect{90, 90, 40, 52})) << "a quarter of it is less than 10";
  EXPECT_EQ(far.parts[1].rect, (Rect{900, 200, 400, 600}));
}

TEST(ElfPartitioner, APartIsNoLargerThanEachOfItsObjectsAsks) {
  // The small one stands beside the large one, too near for a part of its own to pay.
  const Capacity capacity = servers(1, {.context = 10, .contextShare = 0.25F});
  const std::vector<Rp> rps{rpAt({870, 400, 890, 432}), rpAt({1000, 300, 1200, 700})};
  const Plan plan = planOf({{1920, 1080}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].rect, (Rect{860, 200, 440, 600}));
}

TEST(ElfPartitioner, TheShareIsOfTheObjectNotOfThePaddingAroundIt) {
  const Capacity capacity = servers(1, {.context = 10, .contextShare = 0.25F});
  Rp rp = rpAt({1000, 300, 1200, 700});
  rp.box = {980, 280, 1220, 720};
  EXPECT_EQ(planOf({{1920, 1080}, {&rp, 1}, capacity}).parts[0].rect, (Rect{880, 180, 440, 640}));
  // Somebody else's region, of which the object's height is not known, and a place without object.
  rp = {.box = rp.box, .expected = rp.box};
  EXPECT_EQ(planOf({{1920, 1080}, {&rp, 1}, capacity}).parts[0].rect, (Rect{870, 170, 460, 660}));
  rp.expected = {};
  EXPECT_EQ(planOf({{1920, 1080}, {&rp, 1}, capacity}).parts[0].rect, (Rect{970, 270, 260, 460}));
}

TEST(ElfPartitioner, OfAPartThatIsScaledTheShareIsTheSameInTheFrame) {
  // 50 pixels of the 400 are sent: a context of 10 is 80 in the frame.
  ModelRules rules{.context = 10, .contextShare = 0.15F, .objectSize = 40};
  const std::vector<Rp> rps{rpAt({1000, 300, 1200, 700})};
  const auto cut = [&] {
    const Plan plan = planOf({{1920, 1080}, rps, servers(1, rules)});
    EXPECT_EQ(plan.parts.at(0).scale, 0.125);
    return plan.parts.at(0).rect;
  };
  EXPECT_EQ(cut(), (Rect{920, 220, 360, 560}));
  rules.contextShare = 0.25F;
  EXPECT_EQ(cut(), (Rect{900, 200, 400, 600}));
}

// --- Scaled down ---

ModelRules rulesFor(int objectSize) {
  ModelRules rules;
  rules.objectSize = objectSize;
  return rules;
}

TEST(ElfPartitioner, ALargeObjectIsHalvedAsOftenAsTheModelStillFindsItWithAMargin) {
  const Capacity capacity = servers(1, rulesFor(40));
  Rp rp = rpAt({100, 100, 300, 500});
  rp.box = {80, 80, 320, 520};
  const Plan plan = planOf({{1920, 1080}, {&rp, 1}, capacity});
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].scale, 0.125) << "400 pixels become the 50 that are needed";
  EXPECT_EQ(plan.parts[0].sentSize(), (Size{30, 55}));
  EXPECT_DOUBLE_EQ(plan.makespan, CostModel().seconds(30 * 55));
  rp.expected.y1 = 499;
  EXPECT_EQ(planOf({{1920, 1080}, {&rp, 1}, capacity}).parts[0].scale, 0.25);
  rp.expected.y1 = 199;
  EXPECT_EQ(planOf({{1920, 1080}, {&rp, 1}, capacity}).parts[0].scale, 1);
}

TEST(ElfPartitioner, NothingIsScaledWhereSizesAreNotKnownOrItIsSwitchedOff) {
  const std::vector<Rp> rps{rpAt({100, 100, 300, 500})};
  const Capacity silent = servers(1);
  EXPECT_EQ(planOf({{1920, 1080}, rps, silent}).parts[0].scale, 1);
  const Capacity capacity = servers(1, rulesFor(40));
  EXPECT_EQ(planOf({{1920, 1080}, rps, capacity, false}).parts[0].scale, 1);
  Rp region = rps[0];
  region.id = kNoIdentity;
  EXPECT_EQ(planOf({{1920, 1080}, {&region, 1}, capacity}).parts[0].scale, 1)
      << "how large the object in somebody else's region is is not known";
}

TEST(ElfPartitioner, TheSmallestObjectOfAPartDecidesItsScale) {
  // The small one stands before the large one, so that one part shows both.
  const Capacity capacity = servers(1, rulesFor(40));
  const std::vector<Rp> rps{rpAt({100, 100, 300, 500}), rpAt({150, 300, 200, 400})};
  for (const Part& part : planOf({{1920, 1080}, rps, capacity}).parts)
    for (const int rp : part.rps)
      EXPECT_GE(part.scale, leastScale(rps[static_cast<std::size_t>(rp)], capacity.rules));
}

TEST(ElfPartitioner, ALargeObjectBesideASmallOneGetsAPartOfItsOwnWhereThatIsCheaper) {
  const Capacity capacity = servers(1, rulesFor(40));
  const std::vector<Rp> rps{rpAt({0, 0, 800, 800}), rpAt({810, 0, 830, 45})};
  const Plan plan = planOf({{1920, 1080}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 2U);
  EXPECT_EQ(plan.parts[0].scale, 0.0625);
  EXPECT_EQ(plan.parts[1].scale, 1);
}

TEST(ElfPartitioner, WhatIsSentScaledDownSuitsTheModel) {
  ModelRules rules = rulesFor(32);
  rules.multipleOf = 32;
  rules.minSize = {96, 128};
  rules.context = 16;
  const Capacity capacity = servers(1, rules);
  const std::vector<Rp> rps{rpAt({1000, 500, 1200, 900})};
  const Plan plan = planOf({{2560, 1920}, rps, capacity});
  ASSERT_EQ(plan.parts.size(), 1U);
  const Part& part = plan.parts[0];
  EXPECT_EQ(part.scale, 0.125);
  EXPECT_EQ(part.sentSize(), (Size{96, 128}));
  EXPECT_TRUE(contains(part.rect, {872, 372, 456, 656})) << "128 pixels around are the model's 16";
}

// --- Models that shrink what is too large for them ---

TEST(ElfPartitioner, PartsAreNotMergedIntoOneThatTheModelWouldHaveToShrink) {
  for (const bool fixed : {false, true}) {
    ModelRules rules;
    (fixed ? rules.fixedSize : rules.maxSize) = {416, 416};
    const Capacity capacity = servers(1, rules);
    const std::vector<Rp> near{rpAt({0, 0, 150, 150}), rpAt({200, 100, 400, 300})};
    const Plan one = planOf({{1920, 1080}, near, capacity});
    if (fixed) {
      EXPECT_EQ(one.canvases.size(), 1U) << "a picture costs a fixed model the same";
    }
    for (const Part& part : one.parts) EXPECT_EQ(part.scale, 1);
    const std::vector<Rp> far{rpAt({0, 0, 150, 150}), rpAt({300, 100, 500, 300})};
    for (const Part& part : planOf({{1920, 1080}, far, capacity}).parts)
      EXPECT_EQ(part.scale, 1) << "an object was shrunk";
  }
}

TEST(ElfPartitioner, AFixedModelSeesFarObjectsInOneRunInTheFramesResolution) {
  ModelRules rules = rulesFor(60);
  rules.fixedSize = {416, 416};
  const Capacity capacity = servers(1, rules);
  const std::vector<Rp> rps{rpAt({0, 0, 150, 150}), rpAt({450, 350, 600, 500})};
  const Plan plan = planOf({{1920, 1080}, rps, capacity});
  ASSERT_EQ(plan.canvases.size(), 1U);
  for (const Part& part : plan.parts) EXPECT_EQ(part.scale, 1);
  EXPECT_NEAR(plan.makespan, CostModel().seconds(416 * 416), 1e-9);
}

TEST(ElfPartitioner, AnObjectLargerThanTheModelTakesIsSentShrunk) {
  ModelRules rules;
  rules.maxSize = {640, 640};
  const Capacity capacity = servers(1, rules);
  const std::vector<Rp> rps{rpAt({0, 0, 1280, 320}), rpAt({600, 100, 700, 200})};
  const Plan plan = planOf({{1920, 1080}, rps, capacity, false});
  ASSERT_EQ(plan.parts.size(), 2U) << "the small object would be shrunk, too";
  EXPECT_DOUBLE_EQ(plan.parts[0].scale, 0.5);
  EXPECT_EQ(plan.parts[1].scale, 1);
}

}  // namespace
}  // namespace elf
