// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/discovery/frame_planner.h"

#include <algorithm>
#include <utility>

#include "elf/partition/canvases.h"
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

/** The scale at which the model sees the smallest of these parts, but not above 1. */
double shownScale(const Plan& whole, const ModelRules& rules) {
  double scale = 1;
  for (const Part& part : whole.parts) scale = std::min(scale, rules.inputScale(part.sentSize()));
  return scale;
}

/** Lists kept RPs in a part that shows them anyway, as large as they are. */
void listKept(Plan& plan, const std::vector<Rp>& rps, Size frame) {
  for (std::size_t i = 0; i < rps.size(); ++i) {
    if (!rps[i].kept) continue;
    const Rect rect = roundOutwards(rps[i].box, frame);
    const auto part = std::ranges::find_if(
        plan.parts, [&](const Part& one) { return one.scale == 1 && contains(one.rect, rect); });
    if (part != plan.parts.end()) part->rps.push_back(static_cast<int>(i));
  }
}

/** Whether the whole frame is as good as the canvases of `plan`: in no more runs it shows all parts
 * as large, or it shows a group of RPs larger than a part that shrinks them. */
bool showsAsMuch(const Plan& whole, const Plan& plan, const std::vector<Rp>& rps,
                 const ModelRules& rules) {
  const double scale = shownScale(whole, rules);
  const auto shrinksGroup = [&](const Part& part) {
    return part.rps.size() > 1 && part.scale < scale && std::ranges::any_of(part.rps, [&](int rp) {
             return part.scale <
                    leastScale(rps[static_cast<std::size_t>(rp)], rules, part.pixelAspect);
           });
  };
  return std::ranges::any_of(plan.parts, shrinksGroup) ||
         (plan.canvases.size() >= whole.parts.size() &&
          std::ranges::all_of(plan.parts, [&](const Part& part) { return part.scale <= scale; }));
}

/** Whether the whole frame is sooner inferred than `plan`, or no larger, and the model need not
 * shrink it. A run of a fixed size costs the same for any content. Scans alone keep the resolution
 * that they need. */
bool isBetter(const Plan& whole, const Plan& plan, const ModelRules& rules, bool hasRps) {
  const bool mayShrink = !rules.fixedSize.empty() && hasRps;
  return (whole.makespan < plan.makespan || whole.sentPixels() < plan.sentPixels()) &&
         (mayShrink || shownScale(whole, rules) >= 1);
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
                               .pixelAspect = pixelAspect,
                               .grid = settings_.grid});
  Plan whole = splitWholeFrame(frame, capacity, pixelAspect);
  prepare(whole, capacity);
  if (rps) return planAround(frame, *rps, std::move(whole), capacity, picture, passed, pixelAspect);
  return lookAtAll(frame, std::move(whole), picture, passed);
}

void FramePlanner::prepare(const Plan& whole, const Capacity& capacity) {
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
  // The whole frame shows no more.
  discovery.seenAt = takesCanvases(rules) ? shownScale(whole, rules) : 1;
  discovery_.setSettings(discovery);
}

Plan FramePlanner::lookAtAll(Size frame, Plan whole, const ImageView* picture, int passed) {
  discovery_.looksAt(frame, whole.parts, picture, passed);
  sinceLrc_ = 0;
  return whole;
}

Plan FramePlanner::planAround(Size frame, const std::vector<Rp>& rps, Plan whole,
                              const Capacity& capacity, const ImageView* picture, int passed,
                              double pixelAspect) {
  const ModelRules& rules = capacity.rules;
  std::vector<Rp> wanted;
  /** Of those RPs, into `rps`. */
  std::vector<int> indices;
  for (std::size_t i = 0; i < rps.size(); ++i) {
    if (rps[i].kept) continue;
    wanted.push_back(rps[i]);
    indices.push_back(static_cast<int>(i));
  }
  const bool asks = !wanted.empty();
  const Bounds most = boundsOf(frame, capacity);
  for (const Rect& place : discovery_.placesFor(frame, rps, picture, passed))
    addPlace(place, most, wanted);
  Plan plan =
      partitioner_->plan({frame, wanted, capacity, settings_.scale, pixelAspect, settings_.grid});
  if (partitioner_->weighsWholeFrame()) {
    const bool better = takesCanvases(rules)
                            ? !wanted.empty() && showsAsMuch(whole, plan, wanted, rules)
                            : isBetter(whole, plan, rules, asks);
    if (better) {
      listRps(whole, rps, frame);
      return lookAtAll(frame, std::move(whole), picture, passed);
    }
  }
  for (Part& part : plan.parts) {
    std::erase_if(part.rps, [&](int rp) { return rp >= static_cast<int>(indices.size()); });
    if (part.rps.empty()) part.kind = PartKind::Scan;
    for (int& rp : part.rps) rp = indices[static_cast<std::size_t>(rp)];
  }
  listKept(plan, rps, frame);
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
