// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/partition_protocol.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <set>
#include <utility>

#include "elf/partition/cutting.h"

namespace elf::eval {

namespace {

std::vector<Rp> rpsOf(const TraceFrame& frame, const Padding& padding) {
  std::vector<Rp> rps;
  for (const TraceObject& object : frame.objects) {
    if (object.ignored) continue;
    Rp rp;
    rp.id = static_cast<Identity>(rps.size()) + 1;
    rp.expected = clip(object.box, frame.size);
    rp.box = clip(padded({.box = object.box}, padding), frame.size);
    if (!rp.expected.empty()) rps.push_back(std::move(rp));
  }
  return rps;
}

Capacity capacityFor(Size frame, const PartitionOptions& options) {
  Capacity capacity;
  for (const double speed : options.speeds)
    capacity.servers.push_back(
        {.cost = {.a = options.fixedCost, .b = 1 / (frame.area() * speed), .c = 0}});
  capacity.rules.objectSize = options.objectSize;
  return capacity;
}

std::size_t cutRps(const std::vector<Rp>& rps, const Plan& plan, Size frame) {
  return static_cast<std::size_t>(std::count_if(rps.begin(), rps.end(), [&](const Rp& rp) {
    const Rect rect = roundOutwards(rp.box, frame);
    return std::none_of(plan.parts.begin(), plan.parts.end(),
                        [&](const Part& part) { return contains(part.rect, rect); });
  }));
}

/** The minimum that must be sent of an RP. */
struct Needed {
  Rect rect;
  /** Sent pixels per pixel of the frame. */
  double density = 1;
};

/** The pixels to send for the union of all, each at the highest density that it needs. */
double unionOf(const std::vector<Needed>& needed) {
  std::set<int> xs, ys;
  for (const Needed& n : needed) {
    xs.insert({n.rect.x, n.rect.right()});
    ys.insert({n.rect.y, n.rect.bottom()});
  }
  double pixels = 0;
  for (auto x = xs.begin(); std::next(x) != xs.end(); ++x) {
    for (auto y = ys.begin(); std::next(y) != ys.end(); ++y) {
      const Rect cell{*x, *y, *std::next(x) - *x, *std::next(y) - *y};
      double density = 0;
      for (const Needed& n : needed)
        if (contains(n.rect, cell)) density = std::max(density, n.density);
      pixels += density * cell.area();
    }
  }
  return pixels;
}

double lowerBound(const std::vector<Rp>& rps, Size frame, const Capacity& capacity,
                  const PartitionOptions& options) {
  std::vector<Needed> needed;
  double largest = 0;
  for (const Rp& rp : rps) {
    const double scale = sentScale(leastScale(rp, capacity.rules));
    needed.push_back({roundOutwards(rp.box, frame), scale * scale});
    largest = std::max(largest, needed.back().rect.area() * scale * scale);
  }
  const double fastest = *std::max_element(options.speeds.begin(), options.speeds.end());
  const double together = std::accumulate(options.speeds.begin(), options.speeds.end(), 0.0);
  return options.fixedCost + std::max(largest / fastest, unionOf(needed) / together) / frame.area();
}

}  // namespace

PartitionFigures evaluatePartition(std::span<const Trace> traces, const Partitioner& partitioner,
                                   const PartitionOptions& options, const Watcher& watch) {
  using Clock = std::chrono::steady_clock;
  PartitionFigures figures;
  std::vector<double> makespans, planUs;
  for (const Trace& trace : traces) {
    for (const TraceFrame& frame : trace.frames) {
      const std::vector<Rp> rps = rpsOf(frame, options.padding);
      if (rps.empty()) continue;
      const Capacity capacity = capacityFor(frame.size, options);
      const Clock::time_point begun = Clock::now();
      const Plan plan = partitioner.plan({frame.size, rps, capacity});
      planUs.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begun).count());
      makespans.push_back(plan.makespan);
      ++figures.frames;
      figures.rps += rps.size();
      figures.cut += cutRps(rps, plan, frame.size);
      figures.parts += static_cast<double>(plan.parts.size());
      figures.lowerBound += lowerBound(rps, frame.size, capacity, options);
      figures.pixels += plan.sentPixels() / frame.size.area();
      if (watch) watch(plannedScene(trace, frame, rps, plan, capacity));
    }
  }
  const auto frames = static_cast<double>(std::max<std::size_t>(figures.frames, 1));
  figures.pixels /= frames;
  figures.parts /= frames;
  figures.lowerBound /= frames;
  figures.makespan = summarise(std::move(makespans));
  figures.planUs = summarise(std::move(planUs));
  return figures;
}

}  // namespace elf::eval
