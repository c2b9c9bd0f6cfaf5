// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/discovery/frame_planner.h"

#include <algorithm>
#include <utility>

#include "elf/partition/cutting.h"

namespace elf {

namespace {

/** The maximum of a place. */
struct Bounds {
  double area = 0;
  /** Of each side. 0: no limit. */
  Size size;
};

Bounds boundsOf(Size frame, const Capacity& capacity) {
  const ModelRules& rules = capacity.rules;
  const Size most = rules.largestInput();
  // If the context leaves hardly any room, shrinking a little is better than tiny parts.
  const auto room = [&](int side) {
    return std::max((side + 1) / 2, side - 2 * rules.context - (rules.align - 1));
  };
  return {frame.area() / static_cast<double>(usableServers(capacity).size()),
          {room(most.width), room(most.height)}};
}

/** Adds a place for the partitioner, in halves if it is too large. */
void addPlace(const Rect& place, const Bounds& most, std::vector<Rp>& wanted) {
  const bool wide = most.size.width > 0 && place.width > most.size.width;
  const bool high = most.size.height > 0 && place.height > most.size.height;
  if (!wide && !high && place.area() <= most.area) {
    // Nothing is expected: a place is not an object, whose height the model needs a share of
    // around.
    wanted.push_back({.box = toBox(place)});
    return;
  }
  Rect first = place, second = place;
  if (wide || (!high && place.width >= place.height)) {
    first.width = place.width / 2;
    second = {first.right(), place.y, place.width - first.width, place.height};
  } else {
    first.height = place.height / 2;
    second = {place.x, first.bottom(), place.width, place.height - first.height};
  }
  addPlace(first, most, wanted);
  addPlace(second, most, wanted);
}

}  // namespace

FramePlanner::FramePlanner(std::unique_ptr<const Partitioner> partitioner)
    : partitioner_(std::move(partitioner)) {}

void FramePlanner::setSettings(const Settings& settings) {
  settings_ = settings;
}

void FramePlanner::forget() {
  discovery_.forget();
  sinceLrc_ = 0;
}

Plan FramePlanner::plan(Size frame, const std::optional<std::vector<Rp>>& rps,
                        const Capacity& capacity, const ImageView* picture, int passed,
                        double pixelAspect) {
  if (!partitioner_->needsRps())
    return partitioner_->plan({.frame = frame,
                               .rps = rps ? std::span<const Rp>(*rps) : std::span<const Rp>(),
                               .capacity = capacity,
                               .pixelAspect = pixelAspect});
  prepare(capacity);
  if (rps) return planAround(frame, *rps, capacity, picture, passed, pixelAspect);
  return lookAtAll(frame, splitWholeFrame(frame, capacity, pixelAspect), picture, passed);
}

void FramePlanner::prepare(const Capacity& capacity) {
  const ModelRules& rules = capacity.rules;
  Discovery::Settings discovery = settings_.discovery;
  // Objects at a tile's rim lack their context: the rim must be the smaller half of the tile.
  // `contextShare` does not count here, because the height of a tile's objects is unknown. An
  // object that is found cut at the rim, or in pieces, is inferred with room for the rest in the
  // next frame, and with its share once it is an RP.
  discovery.leastTile =
      std::max({8 * rules.context, 2 * rules.minSize.height, discovery.leastTile});
  discovery.context = partitioner_->contextAround(rules);
  discovery.align = rules.align;
  discovery.answersAfter = capacity.maxInFlight;
  discovery_.setSettings(discovery);
}

Plan FramePlanner::lookAtAll(Size frame, Plan whole, const ImageView* picture, int passed) {
  discovery_.looksAt(frame, whole.parts, picture, passed);
  sinceLrc_ = 0;
  return whole;
}

Plan FramePlanner::planAround(Size frame, const std::vector<Rp>& rps, const Capacity& capacity,
                              const ImageView* picture, int passed, double pixelAspect) {
  const ModelRules& rules = capacity.rules;
  std::vector<Rp> wanted = rps;
  const Bounds most = boundsOf(frame, capacity);
  for (const Rect& place : discovery_.placesFor(frame, rps, picture, passed))
    addPlace(place, most, wanted);
  Plan plan = partitioner_->plan({frame, wanted, capacity, settings_.scale, pixelAspect});
  if (partitioner_->weighsWholeFrame()) {
    Plan whole = splitWholeFrame(frame, capacity, pixelAspect);
    const bool shrunk = std::ranges::any_of(
        whole.parts, [&](const Part& part) { return rules.inputScale(part.sentSize()) < 1; });
    // A run of a fixed size costs the same for any content. Scans alone keep the resolution that
    // they need.
    const bool mayShrink = !rules.fixedSize.empty() && !rps.empty();
    if ((mayShrink || !shrunk) && whole.makespan < plan.makespan) {
      listRps(whole, rps, frame);
      return lookAtAll(frame, std::move(whole), picture, passed);
    }
  }
  for (Part& part : plan.parts) {
    std::erase_if(part.rps, [&](int rp) { return rp >= static_cast<int>(rps.size()); });
    if (part.rps.empty()) part.kind = PartKind::Scan;
  }
  if (settings_.lrcInterval > 0 && (sinceLrc_ += passed) >= settings_.lrcInterval) {
    sinceLrc_ = 0;
    addLrc(plan, frame, capacity, pixelAspect);
  }
  discovery_.looksAt(frame, plan.parts, picture, passed);
  return plan;
}

void FramePlanner::addLrc(Plan& plan, Size frame, const Capacity& capacity,
                          double pixelAspect) const {
  Part lrc{.rect = wholeFrame(frame),
           .scale = settings_.lrcRatio,
           .pixelAspect = pixelAspect,
           .kind = PartKind::Lrc};
  const auto named = std::ranges::find_if(capacity.servers, [&](const ServerState& server) {
    return server.healthy && server.url == settings_.lrcServer;
  });
  lrc.server = named != capacity.servers.end() ? static_cast<int>(named - capacity.servers.begin())
                                               : idlestServer(plan, lrc, capacity);
  plan.parts.push_back(std::move(lrc));
  setMakespan(plan, capacity);
}

}  // namespace elf
