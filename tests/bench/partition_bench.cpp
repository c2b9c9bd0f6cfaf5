// SPDX-License-Identifier: LGPL-2.1-or-later
// What planning costs for each frame, on one core.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "elf/partition/partitioner.h"

namespace elf {
namespace {

constexpr Size kFrame{1920, 1080};
/** Frames that are planned in turn, so that no single one decides. */
constexpr std::size_t kFrames = 64;

/** Objects anywhere, 2 to 8 % of the frame's width wide and as much of its height high. */
std::vector<Rp> makeFrame(int objects, std::mt19937& random) {
  std::uniform_real_distribution<float> side(0.02F, 0.08F), place(0, 1);
  std::vector<Rp> rps;
  for (int i = 0; i < objects; ++i) {
    const float width = side(random) * kFrame.width, height = side(random) * kFrame.height;
    const float x = place(random) * (kFrame.width - width);
    const float y = place(random) * (kFrame.height - height);
    Rp rp;
    rp.id = i + 1;
    rp.box = rp.expected = {x, y, x + width, y + height};
    rps.push_back(rp);
  }
  return rps;
}

/** Servers of which each second one is half as fast, with the rules of a usual network. */
Capacity makeServers(std::size_t count) {
  Capacity capacity;
  capacity.servers.resize(count);
  for (std::size_t s = 1; s < count; s += 2) capacity.servers[s].cost.b *= 2;
  capacity.rules.multipleOf = 32;
  capacity.rules.align = 32;
  capacity.rules.context = 32;
  capacity.rules.objectSize = 40;
  return capacity;
}

/** Arguments: RPs, servers. */
void plan(benchmark::State& state, const char* name) {
  std::mt19937 random(1);
  std::vector<std::vector<Rp>> frames;
  for (std::size_t i = 0; i < kFrames; ++i)
    frames.push_back(makeFrame(static_cast<int>(state.range(0)), random));
  const Capacity capacity = makeServers(static_cast<std::size_t>(state.range(1)));
  const auto partitioner = Partitioner::create(name);
  std::size_t next = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(partitioner->plan({kFrame, frames[next++ % kFrames], capacity}));
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->Args({8, 4})->Args({32, 4})->Args({128, 4})->Args({300, 16});
  bench->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(plan, elf, "elf")->Apply(sizes);
BENCHMARK_CAPTURE(plan, strips, "strips")->Apply(sizes);
BENCHMARK_CAPTURE(plan, grid, "grid")->Apply(sizes);

}  // namespace
}  // namespace elf

BENCHMARK_MAIN();
