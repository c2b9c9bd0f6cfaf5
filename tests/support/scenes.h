// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames with RPs, and servers for them, for tests of partitioners.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "elf/base/random.h"
#include "elf/partition/partitioner.h"

namespace elf::testing {

inline Capacity servers(std::size_t count, ModelRules rules = {}) {
  Capacity capacity;
  capacity.servers.resize(count);
  capacity.rules = std::move(rules);
  return capacity;
}

inline Rp rpAt(Box box) {
  Rp rp;
  rp.id = 1;
  rp.box = rp.expected = box;
  return rp;
}

struct Scene {
  Size frame;
  std::vector<Rp> rps;
  Capacity capacity;
  bool scale = true;
  double pixelAspect = 1;

  PartitionInput input() const { return {frame, rps, capacity, scale, pixelAspect}; }
};

/** Draws scenes; the same for the same seed. */
class Scenes {
 public:
  explicit Scenes(std::uint64_t seed) : random_(seed) {}

  /** 0 to most - 1. */
  int upTo(int most) { return static_cast<int>(random_.uniform() * most); }

  /** Any frame, rules and servers there can be; `most` RPs and servers, RPs of all sizes. */
  Scene any(int mostRps, int mostServers) {
    ModelRules rules;
    rules.align = 1 << upTo(6);
    rules.context = upTo(40);
    if (upTo(2)) rules.contextShare = static_cast<float>(upTo(100)) / 100;
    rules.multipleOf = upTo(2) ? 32 : 1;
    if (upTo(2)) rules.minSize = {64, 128};
    if (upTo(2)) rules.objectSize = 1 + upTo(150);
    const int bound = upTo(3);
    if (bound == 1) rules.maxSize = {32 * (4 + upTo(30)), 32 * (4 + upTo(30))};
    if (bound == 2) rules.fixedSize = {32 * (4 + upTo(15)), 32 * (4 + upTo(15))};
    Scene scene{{1 + upTo(1500), 1 + upTo(1000)},
                {},
                servers(static_cast<std::size_t>(1 + upTo(mostServers)), rules),
                upTo(4) > 0};
    for (ServerState& server : scene.capacity.servers) {
      server.healthy = upTo(4) > 0;
      server.cost = {random_.uniform(0, 0.03), 2e-7 * (1 + upTo(5)), upTo(2) ? 1e-7 : 0};
      if (upTo(4) == 0) server.busy = random_.uniform(0, 0.05);
    }
    for (int i = upTo(mostRps + 1); i > 0; --i) {
      const auto x = static_cast<float>(upTo(scene.frame.width));
      const auto y = static_cast<float>(upTo(scene.frame.height));
      const Box box =
          clip({x, y, x + 1 + static_cast<float>(upTo(300)), y + 1 + static_cast<float>(upTo(400))},
               scene.frame);
      if (!box.empty()) scene.rps.push_back(rpAt(box));
    }
    constexpr double kAspects[] = {1, 1, 0.5, 16.0 / 11, 2};
    scene.pixelAspect = kAspects[upTo(5)];
    return scene;
  }

  /** A large frame, RPs of sizes that differ from scene to scene, and servers that cost anything.
   */
  Scene usual(int leastRps, int mostRps, std::vector<double> speeds) {
    Scene scene{{640 + upTo(3400), 480 + upTo(1700)}, {}, servers(speeds.size())};
    for (std::size_t s = 0; s < speeds.size(); ++s) {
      ServerState& server = scene.capacity.servers[s];
      server.cost = {random_.uniform(0, 0.03), 1 / (scene.frame.area() * speeds[s]), 0};
      if (upTo(4) == 0) server.busy = random_.uniform(0, 0.05);
    }
    const double largest = random_.uniform(0.05, 0.4);
    for (int i = leastRps + upTo(mostRps - leastRps + 1); i > 0; --i) {
      const double width = random_.uniform(0.01, largest) * scene.frame.width;
      const double height = random_.uniform(0.02, largest) * scene.frame.height;
      const double x = random_.uniform(0, scene.frame.width - width);
      const double y = random_.uniform(0, scene.frame.height - height);
      scene.rps.push_back(rpAt({static_cast<float>(x), static_cast<float>(y),
                                static_cast<float>(x + width), static_cast<float>(y + height)}));
    }
    return scene;
  }

  /** One to `most` servers' speeds. */
  std::vector<double> speeds(int most) {
    std::vector<double> speeds(static_cast<std::size_t>(1 + upTo(most)));
    for (double& speed : speeds) speed = random_.uniform(0.25, 1);
    return speeds;
  }

 private:
  Random random_;
};

/** Each part of a canvas lies inside it, has its server, and is `gap` pixels away from others. */
inline void expectSoundCanvases(const Plan& plan, int gap) {
  std::vector<int> shown(plan.canvases.size(), 0);
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    const auto placed = [&](std::size_t part) {
      const Size sent = plan.parts[part].sentSize();
      return Rect{plan.parts[part].place->x, plan.parts[part].place->y, sent.width, sent.height};
    };
    if (!plan.parts[i].place) continue;
    const auto canvas = static_cast<std::size_t>(plan.parts[i].place->canvas);
    ASSERT_LT(canvas, plan.canvases.size());
    ++shown[canvas];
    EXPECT_EQ(plan.parts[i].server, plan.canvases[canvas].server);
    EXPECT_TRUE(contains(wholeFrame(plan.canvases[canvas].size), placed(i)));
    const Rect own = placed(i);
    const Rect around{own.x - gap, own.y - gap, own.width + 2 * gap, own.height + 2 * gap};
    for (std::size_t j = 0; j < i; ++j) {
      if (plan.parts[j].place && plan.parts[j].place->canvas == plan.parts[i].place->canvas) {
        EXPECT_TRUE(intersect(around, placed(j)).empty()) << i << " and " << j;
      }
    }
  }
  for (const int count : shown) EXPECT_GT(count, 0);
}

/** What Partitioner promises of every plan. */
inline void expectSound(const Plan& plan, const Scene& scene) {
  const std::vector<ServerState>& servers = scene.capacity.servers;
  const bool anyHealthy = std::any_of(servers.begin(), servers.end(),
                                      [](const ServerState& server) { return server.healthy; });
  std::vector<double> done(servers.size(), 0.0);
  std::vector<int> listed(scene.rps.size(), 0);
  const auto work = [&](int server, Size sent) {
    const auto s = static_cast<std::size_t>(server);
    done[s] += servers[s].cost.seconds(scene.capacity.rules.inputSize(sent).area(),
                                       sent.area() * servers[s].bytesPerPixel);
  };
  for (const Part& part : plan.parts) {
    EXPECT_FALSE(part.rect.empty());
    EXPECT_TRUE(contains(wholeFrame(scene.frame), part.rect));
    EXPECT_GT(part.scale, 0);
    EXPECT_LE(part.scale, 1);
    EXPECT_EQ(part.pixelAspect, scene.pixelAspect);
    ASSERT_GE(part.server, 0);
    const auto s = static_cast<std::size_t>(part.server);
    ASSERT_LT(s, servers.size());
    EXPECT_TRUE(servers[s].healthy || !anyHealthy);
    if (done[s] == 0) done[s] = servers[s].busy;
    if (!part.place) work(part.server, part.sentSize());
    for (const int rp : part.rps) {
      EXPECT_TRUE(contains(
          part.rect, roundOutwards(scene.rps[static_cast<std::size_t>(rp)].box, scene.frame)));
      ++listed[static_cast<std::size_t>(rp)];
    }
  }
  for (const PartCanvas& canvas : plan.canvases) work(canvas.server, canvas.size);
  EXPECT_NEAR(plan.makespan, *std::max_element(done.begin(), done.end()), 1e-9);
  for (const int count : listed) EXPECT_LE(count, 1);
}

inline std::size_t listedRps(const Plan& plan) {
  std::size_t listed = 0;
  for (const Part& part : plan.parts) listed += part.rps.size();
  return listed;
}

}  // namespace elf::testing
