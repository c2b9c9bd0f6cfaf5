// SPDX-License-Identifier: LGPL-2.1-or-later
// What indexing, prediction and padding cost for each frame, on one core.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/predict/history.h"
#include "elf/predict/indexing.h"
#include "elf/predict/padding.h"
#include "elf/predict/predictor.h"
#include "elf/predict/tracker.h"
#include "tests/bench/benchmark_main.h"

namespace elf {
namespace {

constexpr Size kFrame{1920, 1080};
/** Frames after which the objects are where they were, and observations that a history holds. */
constexpr std::size_t kPeriod = 64;
constexpr std::uint64_t kObservations = 10;

/** Objects of two classes, each going round in a circle, as a detector with some jitter sees them.
 */
class Scene {
 public:
  explicit Scene(int objects) : frames_(kPeriod) {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> x(50, 1750), y(50, 850), side(20, 120), radius(10, 50);
    std::normal_distribution<float> jitter(0, 1);
    for (int i = 0; i < objects; ++i) {
      const float left = x(random), top = y(random), width = side(random), height = side(random);
      const float r = radius(random), start = x(random);
      for (std::size_t frame = 0; frame < kPeriod; ++frame) {
        const float turn =
            start + static_cast<float>(frame) * 2 * std::numbers::pi_v<float> / kPeriod;
        const float x0 = left + r * std::cos(turn);
        const float y0 = top + r * std::sin(turn);
        Detection detection;
        detection.box = {x0 + jitter(random), y0 + jitter(random), x0 + width + jitter(random),
                         y0 + height + jitter(random)};
        detection.score = 0.9F;
        detection.labelId = i % 2;
        detection.label = i % 2 ? "car" : "person";
        frames_[frame].push_back(detection);
      }
    }
  }

  const std::vector<Detection>& detections(std::uint64_t frame) const {
    return frames_[frame % kPeriod];
  }

  std::vector<LabelledBox> boxes(std::uint64_t frame) const {
    std::vector<LabelledBox> boxes;
    for (const Detection& d : detections(frame)) boxes.push_back({d.box, d.labelId});
    return boxes;
  }

 private:
  std::vector<std::vector<Detection>> frames_;
};

/** What elfmerge and elfrppredict know of a scene. */
struct Pipeline {
  explicit Pipeline(const Scene& seen) : scene(seen) {
    while (frame < kObservations) look({}, {});
  }

  /** Takes in the next frame. */
  void look(const std::vector<Prediction>& predictions, const std::vector<Rp>& rps) {
    Feedback feedback;
    feedback.id = frame;
    feedback.when = when();
    feedback.size = kFrame;
    feedback.looked = true;
    feedback.detections = scene.detections(frame);
    tracker.track(when(), kFrame, rps, feedback.detections);
    calibrator.observe(predictions, rps, feedback.detections, 1, kFrame);
    history.add(feedback);
    ++frame;
  }

  std::vector<Rp> pad(const std::vector<Prediction>& predictions) const {
    return makeRps(predictions, history, kFrame, calibrator.padding(1));
  }

  FrameTime when() const { return {static_cast<double>(frame)}; }

  const Scene& scene;
  Tracker tracker;
  History history{{.length = kObservations}};
  PaddingCalibrator calibrator;
  std::uint64_t frame = 0;
};

void index(benchmark::State& state, const char* rule) {
  const Scene scene(static_cast<int>(state.range(0)));
  const auto indexer = RpIndexer::create(rule);
  const std::vector<LabelledBox> before = scene.boxes(0);
  const std::vector<LabelledBox> now = scene.boxes(1);
  for (auto _ : state) benchmark::DoNotOptimize(indexer->match(before, now, kFrame));
}

void predict(benchmark::State& state, const RpPredictor& predictor) {
  const Scene scene(static_cast<int>(state.range(0)));
  const Pipeline pipeline(scene);
  for (auto _ : state)
    benchmark::DoNotOptimize(predictor.predict(pipeline.history, pipeline.when()));
}

void pad(benchmark::State& state) {
  const Scene scene(static_cast<int>(state.range(0)));
  const Pipeline pipeline(scene);
  const auto predictor = RpPredictor::create("last");
  const auto predictions = predictor->predict(pipeline.history, pipeline.when());
  for (auto _ : state) benchmark::DoNotOptimize(pipeline.pad(predictions));
}

/** Everything for one frame after another: prediction, padding and what it learns, identities. */
void wholeFrame(benchmark::State& state, const RpPredictor& predictor) {
  const Scene scene(static_cast<int>(state.range(0)));
  Pipeline pipeline(scene);
  for (auto _ : state) {
    const auto predictions = predictor.predict(pipeline.history, pipeline.when());
    const std::vector<Rp> rps = pipeline.pad(predictions);
    pipeline.look(predictions, rps);
  }
}

using Bench = benchmark::internal::Benchmark;

void forEachSize(Bench* bench) {
  for (const int objects : {8, 32, 128}) bench->Arg(objects);
  bench->Unit(benchmark::kMicrosecond);
}

/** Those of predictorChoices() that need no weights, or whose weights are installed. */
std::vector<std::pair<std::string, std::shared_ptr<const RpPredictor>>> predictors() {
  std::vector<std::pair<std::string, std::shared_ptr<const RpPredictor>>> all;
  for (const Choice& choice : predictorChoices()) {
    try {
      all.emplace_back(choice.name, RpPredictor::create(choice.name));
    } catch (const Error& error) {
      std::fprintf(stderr, "without %s: %s\n", choice.name, error.what());
    }
  }
  return all;
}

void registerAll() {
  for (const Choice& rule : indexerChoices())
    forEachSize(benchmark::RegisterBenchmark(("index/" + std::string(rule.name)).c_str(), index,
                                             rule.name));
  for (const auto& [name, predictor] : predictors()) {
    forEachSize(benchmark::RegisterBenchmark(
        ("predict/" + name).c_str(),
        [predictor = predictor](benchmark::State& state) { predict(state, *predictor); }));
    forEachSize(benchmark::RegisterBenchmark(
        ("frame/" + name).c_str(),
        [predictor = predictor](benchmark::State& state) { wholeFrame(state, *predictor); }));
  }
  forEachSize(benchmark::RegisterBenchmark("pad", pad));
}

}  // namespace
}  // namespace elf

int main(int argc, char** argv) {
  return elf::runBenchmarks(argc, argv, elf::registerAll);
}
