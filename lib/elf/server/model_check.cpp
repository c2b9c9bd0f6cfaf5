// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/model_check.h"

#include <algorithm>
#include <functional>
#include <opencv2/imgproc.hpp>

#include "elf/agreement/agreement.h"
#include "elf/agreement/statistics.h"
#include "elf/partition/cutting.h"
#include "elf/partition/partitioner.h"
#include "elf/server/backends.h"
#include "elf/server/checked_run.h"

namespace elf {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr float kPadding = 0.1F;
constexpr double kSameIou = 0.5;

using Detections = std::vector<Detection>;

Rp asRp(const Box& box, Size picture) {
  const float x = kPadding * box.width();
  const float y = kPadding * box.height();
  return {.box = clip(grow(box, {x, y, x, y}), picture), .expected = box};
}

std::vector<Part> cut(const InferenceModel& model, const ModelCheck& check, Size picture) {
  ServerState server;
  server.cost = {.a = 0.001,
                 .b = std::chrono::duration<double>(check.median).count() /
                      model.rules().inputSize(picture).area()};
  const Capacity capacity{.servers = {server, server}, .rules = model.rules()};
  std::vector<Rp> rps;
  for (const Box& box : model.extractRps(check.found)) rps.push_back(asRp(box, picture));
  if (rps.empty()) return splitWholeFrame(picture, capacity).parts;
  return Partitioner::create("elf")
      ->plan({.frame = picture, .rps = rps, .capacity = capacity})
      .parts;
}

Result<Detections> runPart(InferenceModel& model, const cv::Mat& picture, const Part& part) {
  const Rect& rect = part.rect;
  cv::Mat pixels = picture(cv::Rect(rect.x, rect.y, rect.width, rect.height));
  const Size sent = part.sentSize();
  if (sent != rect.size())
    cv::resize(pixels, pixels, {sent.width, sent.height}, 0, 0, cv::INTER_AREA);
  const auto placement = placementIn({picture.cols, picture.rows}, part, model.rules());
  return checkedRun(model, viewOf(pixels), placement.value_or(Placement{.frame = sent}));
}

struct Runs {
  /** In the first picture. */
  Result<Detections> found = Detections();
  microseconds first{0}, median{0};
};

/** Stops at a run that fails. */
Runs runOften(InferenceModel& model, std::span<const PlacedPicture> pictures) {
  Runs runs;
  std::vector<double> times;
  for (int i = 0; i <= kCheckedRuns && runs.found; ++i) {
    const auto start = Clock::now();
    runs.found = std::move(checkedRunBatch(model, pictures)[0]);
    const auto took = std::chrono::duration_cast<microseconds>(Clock::now() - start);
    if (i == 0)
      runs.first = took;
    else
      times.push_back(static_cast<double>(took.count()));
  }
  runs.median = microseconds(std::llround(eval::summarise(times).p50));
  return runs;
}

void compare(ModelCheck& check, const ModelRules& rules) {
  check.f1 = eval::figures(eval::compareConfident(check.found, check.merged, kSameIou,
                                                  rules.minScore, rules.sureScore))
                 .f1;
  const auto pairs = eval::matchDetections(check.found, check.merged, kSameIou);
  check.pairs = pairs.size();
  for (const auto& [a, b] : pairs)
    check.boxIou +=
        iou(check.found[a].box, check.merged[b].box) / static_cast<double>(pairs.size());
  eval::ShapeComparison shapes;
  shapes.add(check.found, check.merged, kSameIou, rules.minScore, rules.sureScore);
  check.shapes = shapes.figures();
}

}  // namespace

Result<ModelCheck> checkModel(InferenceModel& model, const ImageView& bgr) {
  ModelCheck check;
  const PlacedPicture whole{bgr, {.frame = bgr.size}};
  auto alone = runOften(model, {&whole, 1});
  if (!alone.found) return Result<ModelCheck>::failure(alone.found.error());
  check.found = std::move(alone.found).value();
  check.first = alone.first;
  check.median = alone.median;
  if (const int most = model.file().maxBatch; most > 1) {
    const auto together = runOften(model, std::vector(static_cast<std::size_t>(most), whole));
    if (!together.found) return Result<ModelCheck>::failure(together.found.error());
    check.batched = together.median / most;
  }
  std::ranges::stable_sort(check.found, std::ranges::greater(), &Detection::score);

  check.parts = cut(model, check, bgr.size);
  std::vector<Detections> results;
  for (const Part& part : check.parts) {
    auto found = runPart(model, matOf(bgr), part);
    if (!found) return Result<ModelCheck>::failure(found.error());
    results.push_back(std::move(found).value());
  }
  check.merged = model.merge(results, check.parts, bgr.size);
  compare(check, model.rules());
  return check;
}

}  // namespace elf
