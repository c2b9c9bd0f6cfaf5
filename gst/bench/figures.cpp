// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/figures.h"

#include <algorithm>
#include <functional>

namespace elf::bench {

namespace {

constexpr double kBytesOfKilobit = 125;

std::size_t countFrom(const std::vector<Detection>& detections, float score) {
  return static_cast<std::size_t>(std::count_if(
      detections.begin(), detections.end(), [=](const Detection& d) { return d.score >= score; }));
}

}  // namespace

RepeatFigures measure(const std::vector<FrameResult>& frames, double seconds,
                      const Yardstick& yardstick) {
  RepeatFigures figures;
  eval::Counts plain;
  Comparison comparison(yardstick);
  eval::ShapeComparison shapes;
  double bytes = 0, countedBytes = 0, wholeBytes = 0, pixels = 0, quality = 0, scale = 0;
  double runs = 0, canvases = 0;
  std::size_t boxes = 0, referenceBoxes = 0, sent = 0, kept = 0, all = 0;
  const float minScore = yardstick.minScore, sureScore = yardstick.sureScore;
  for (const FrameResult& frame : frames) {
    const std::vector<Detection>& reference = yardstick.reference[frame.frame];
    const std::vector<Detection>& found = frame.detections;
    figures.latencies.push_back(frame.latencyMs);
    bytes += static_cast<double>(frame.bytes);
    countedBytes += static_cast<double>(frame.countedBytes);
    wholeBytes += static_cast<double>(frame.wholeBytes);
    pixels += frame.pixels;
    runs += frame.runs;
    canvases += frame.canvases;
    all += found.size();
    kept += static_cast<std::size_t>(std::ranges::count(found, true, &Detection::kept));
    if (frame.bytes > 0) {
      ++sent;
      quality += frame.quality;
      scale += frame.scale;
    }
    plain += eval::comparePlain(reference, found, kMinIou, minScore);
    comparison.add(frame.frame, found);
    shapes.add(reference, found, kMinIou, minScore, sureScore);
    boxes += countFrom(found, minScore);
    referenceBoxes += countFrom(reference, minScore);
    if (frame.coasted) figures.marks.insert(kCoastedMark);
    if (frame.failed) figures.marks.insert(kFailedMark);
    if (frame.retried) figures.marks.insert(kRetriedMark);
    if (frame.skipped) {
      ++figures.skipped;
      figures.marks.insert(kSkippedMark);
    }
  }
  if (static_cast<double>(boxes) > kTooManyBoxes * static_cast<double>(referenceBoxes))
    figures.marks.insert(kTooManyBoxesMark);
  const auto count = static_cast<double>(std::max<std::size_t>(1, frames.size()));
  figures.latencyMs = eval::summarise(figures.latencies);
  figures.fps = seconds > 0 ? static_cast<double>(frames.size()) / seconds : 0;
  figures.bytesPerFrame = bytes / count;
  figures.wholeBytesPerFrame = wholeBytes / count;
  if (seconds > 0) figures.kilobitsPerSecond = countedBytes / kBytesOfKilobit / seconds;
  if (sent > 0) {
    figures.quality = quality / static_cast<double>(sent);
    figures.scale = scale / static_cast<double>(sent);
  }
  figures.pixelsPerFrame = pixels / count;
  figures.work.runs = runs / count;
  figures.work.canvases = canvases / count;
  if (all > 0) figures.work.kept = static_cast<double>(kept) / static_cast<double>(all);
  figures.agreement = eval::figures(plain);
  figures.confident = comparison.confident();
  figures.confident75 = comparison.confident75();
  figures.shapes = shapes.figures();
  figures.truth = comparison.truth();
  return figures;
}

void compare(RepeatFigures& repeat, const RepeatFigures& single, bool byMean) {
  const double mine = byMean ? repeat.latencyMs.mean : repeat.latencyMs.p50;
  const double its = byMean ? single.latencyMs.mean : single.latencyMs.p50;
  if (mine > 0) repeat.speedup = its / mine;
  repeat.holds = repeat.speedup && repeat.latencyMs.p95 <= single.latencyMs.p50;
}

void takeWorst(ModeFigures& mode) {
  const auto worstBy =
      [&mode](const std::function<double(const RepeatFigures&)>& badness) -> const RepeatFigures& {
    return *std::max_element(mode.repeats.begin(), mode.repeats.end(),
                             [&badness](const RepeatFigures& a, const RepeatFigures& b) {
                               return badness(a) < badness(b);
                             });
  };
  const bool compared = mode.repeats.front().speedup && mode.name != "single";
  RepeatFigures worst = worstBy([compared](const RepeatFigures& r) {
    return compared ? -r.speedup.value_or(0) : r.latencyMs.p50;
  });
  worst.skipped = worstBy([](const auto& r) { return static_cast<double>(r.skipped); }).skipped;
  worst.kilobitsPerSecond =
      worstBy([](const auto& r) { return r.kilobitsPerSecond; }).kilobitsPerSecond;
  worst.bytesPerFrame = worstBy([](const auto& r) { return r.bytesPerFrame; }).bytesPerFrame;
  worst.pixelsPerFrame = worstBy([](const auto& r) { return r.pixelsPerFrame; }).pixelsPerFrame;
  worst.agreement = worstBy([](const auto& r) { return -r.agreement.f1; }).agreement;
  worst.confident = worstBy([](const auto& r) { return -r.confident.f1; }).confident;
  worst.confident75 = worstBy([](const auto& r) { return -r.confident75.f1; }).confident75;
  worst.shapes.maskIou =
      worstBy([](const auto& r) { return -r.shapes.maskIou.value_or(1); }).shapes.maskIou;
  worst.shapes.oks = worstBy([](const auto& r) { return -r.shapes.oks.value_or(1); }).shapes.oks;
  if (worst.truth) worst.truth = worstBy([](const auto& r) { return -r.truth->f1; }).truth;
  for (const RepeatFigures& repeat : mode.repeats) {
    worst.holds = worst.holds && repeat.holds;
    worst.marks.insert(repeat.marks.begin(), repeat.marks.end());
  }
  if (worst.live) {
    std::vector<LiveFigures> live;
    for (const RepeatFigures& repeat : mode.repeats) live.push_back(*repeat.live);
    worst.live = worstOf(live);
  }
  mode.worst = std::move(worst);
}

double boxesPerFrame(const FrameDetections& detections, float minScore) {
  std::size_t boxes = 0;
  for (const auto& frame : detections) boxes += countFrom(frame, minScore);
  return detections.empty() ? 0
                            : static_cast<double>(boxes) / static_cast<double>(detections.size());
}

const ModeFigures* Report::find(const std::string& name) const {
  for (const ModeFigures& mode : modes)
    if (mode.name == name) return &mode;
  return nullptr;
}

std::optional<double> Report::shareOfOracle() const {
  const ModeFigures* elf = find("elf");
  const ModeFigures* oracle = find("oracle");
  if (!elf || !oracle || !elf->worst.speedup || !oracle->worst.speedup) return std::nullopt;
  return *elf->worst.speedup / *oracle->worst.speedup;
}

}  // namespace elf::bench
