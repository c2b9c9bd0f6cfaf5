// SPDX-License-Identifier: LGPL-2.1-or-later
// What merging and identities cost for a frame whose servers answer noise, on one core.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "elf/merge/merge.h"
#include "elf/predict/tracker.h"
#include "elf/wire/detections.h"
#include "tests/bench/benchmark_main.h"

namespace elf {
namespace {

constexpr Size kFrame{1920, 1080};
/** Frames of noise that are made, and taken in before the first one is measured. */
constexpr int kFrames = 40;

/** Four quarters that overlap by 100 pixels, each with as many boxes of up to `side` pixels as an
 * answer may have, `rotated` or not. */
FrameRecord noise(float side, bool rotated, std::mt19937& random) {
  FrameRecord record;
  record.size = kFrame;
  record.plan.emplace();
  for (const int x : {0, 910})
    for (const int y : {0, 490}) record.plan->parts.push_back({.rect = {x, y, 1010, 590}});
  std::uniform_real_distribution<float> left(0, 1000), top(0, 580), length(5, side), score(0, 1),
      angle(0, 3);
  for (std::size_t i = 0; i < record.plan->parts.size(); ++i) {
    PartAnswer& answer = record.answers.emplace_back();
    answer.state = AnswerState::Answered;
    for (std::size_t n = 0; n < wire::kMaxDetections; ++n) {
      const float x0 = left(random), y0 = top(random);
      Detection& detection = answer.detections.emplace_back();
      detection.box = {x0, y0, x0 + length(random), y0 + length(random)};
      if (rotated) {
        detection.rotated = toRotated(detection.box);
        detection.rotated->angle = angle(random);
        detection.box = detection.rotated->hull();
      }
      detection.box = clip(detection.box, Size{1010, 590});
      detection.score = score(random);
      detection.label = "person";
    }
  }
  return record;
}

void mergeNoise(benchmark::State& state, float side, bool rotated) {
  std::mt19937 random(1);
  std::vector<FrameRecord> records;
  for (int i = 0; i < kFrames; ++i) records.push_back(noise(side, rotated, random));
  Tracker tracker;
  std::uint64_t frame = 0;
  const auto take = [&] {
    FrameRecord& record = records[frame % kFrames];
    mergeAnswers(record);
    tracker.track({.at = static_cast<double>(frame++)}, record.size, {}, record.detections);
    benchmark::DoNotOptimize(record.detections.data());
  };
  while (frame < kFrames) take();
  for (auto _ : state) take();
}

void registerAll() {
  for (const bool rotated : {false, true})
    for (const int side : {30, 100, 600})
      benchmark::RegisterBenchmark(
          ((rotated ? "merge+track/rotated/4x1000/" : "merge+track/noise/4x1000/") +
           std::to_string(side))
              .c_str(),
          [side, rotated](benchmark::State& state) {
            mergeNoise(state, static_cast<float>(side), rotated);
          })
          ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace elf

int main(int argc, char** argv) {
  return elf::runBenchmarks(argc, argv, elf::registerAll);
}
