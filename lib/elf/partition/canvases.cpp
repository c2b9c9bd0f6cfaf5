// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/canvases.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "elf/partition/atoms.h"
#include "elf/partition/cutting.h"
#include "elf/partition/packing.h"

namespace elf {

namespace {

/** A server that would need this many times as long as the first one is left out. */
constexpr double kMostWait = 1.5;
/** Halvings of the range of resolutions: steps of less than one part in a hundred. */
constexpr int kHalvings = 7;
/** Below this many times the needed resolution, packing is given up. */
constexpr double kLeastZoom = 0.2;

double runSeconds(const ServerState& server, const ModelRules& rules) {
  const double pixels = rules.fixedSize.area();
  return server.busy + server.seconds(pixels, pixels);
}

/** Parts of one frame at one resolution, in their places. */
struct Layout {
  std::vector<Rect> rects;
  std::vector<double> scales;
  std::vector<PackedPlace> places;
};

constexpr int kLeastContext = 16;

/** The rules for the parts of a canvas: those for whole pictures are not for them. Objects keep
 * away from the grey, whatever the model says. */
ModelRules rulesInside(ModelRules rules) {
  rules.fixedSize = rules.minSize = rules.maxSize = {};
  rules.multipleOf = 1;
  rules.context = std::max(rules.context, kLeastContext);
  return rules;
}

/** RPs, joined as long as that shows the model no more pixels, and as they fit into its largest
 * picture together. */
std::vector<Atom> regionsOf(const PartitionInput& input, const ModelRules& shape) {
  const Size most = input.capacity.rules.largestInput();
  const auto rectOf = [&](const Wanted& wanted) {
    return cutFor(wanted, 1, shape, input.frame, input.pixelAspect);
  };
  const auto area = [&](const Wanted& wanted) { return rectOf(wanted).area(); };
  const auto fits = [&](const Rect& rect) {
    const Size size = input.squareSize(rect);
    return most.empty() || (size.width <= most.width && size.height <= most.height);
  };
  std::vector<Atom> regions;
  for (Atom& region : atomsOf(input)) {
    double own = area(region.wanted);
    for (std::size_t i = 0; i < regions.size();) {
      const Wanted both = unite(region.wanted, regions[i].wanted);
      const Rect rect = rectOf(both);
      const double joined = rect.area();
      const bool inside = joined <= std::max(own, area(regions[i].wanted));
      if (joined > own + area(regions[i].wanted) || (!inside && !fits(rect))) {
        ++i;
        continue;
      }
      region.wanted = both;
      region.leastScale = std::max(region.leastScale, regions[i].leastScale);
      region.rps.insert(region.rps.end(), regions[i].rps.begin(), regions[i].rps.end());
      own = joined;
      regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(i));
      i = 0;  // the larger region may take in others
    }
    std::ranges::sort(region.rps);
    regions.push_back(std::move(region));
  }
  return regions;
}

class CanvasPlanner {
 public:
  explicit CanvasPlanner(const PartitionInput& input)
      : input_(input),
        rules_(input.capacity.rules),
        shape_(rulesInside(rules_)),
        regions_(regionsOf(input, shape_)),
        servers_(serversForRuns(input.capacity)) {
    for (const Atom& region : regions_)
      needed_.push_back(input.scale && rules_.objectSize > 0 ? region.leastScale : 1);
  }

  Plan plan() {
    if (regions_.empty()) return {};
    const double most = 1 / *std::ranges::min_element(needed_);
    for (int count = 1; count <= std::ssize(servers_); ++count)
      if (std::optional<Layout> layout = layoutAt(1, count))
        return planOf(closest(std::move(*layout), 1, most, count));
    const int count = static_cast<int>(servers_.size());
    for (double zoom = 0.5; zoom > kLeastZoom; zoom /= 2)
      if (std::optional<Layout> layout = layoutAt(zoom, count))
        return planOf(closest(std::move(*layout), zoom, 2 * zoom, count));
    return planOf(allInOne());
  }

 private:
  Rect rectOf(const Wanted& wanted, double scale) const {
    return cutFor(wanted, scale, shape_, input_.frame, input_.pixelAspect);
  }

  /** All regions at `zoom` times the resolution that they need. Unset if they do not fit. */
  std::optional<Layout> layoutAt(double zoom, int canvases) const {
    Layout layout;
    std::vector<Size> sizes;
    double area = 0;
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      const double scale = std::min(1.0, zoom * needed_[i]);
      const Rect rect = rectOf(regions_[i].wanted, scale);
      const Size size = input_.squareSize(rect).scaled(scale);
      if (size.width > rules_.fixedSize.width || size.height > rules_.fixedSize.height)
        return std::nullopt;
      area += size.area();
      layout.rects.push_back(rect);
      layout.scales.push_back(scale);
      sizes.push_back(size);
    }
    if (area > canvases * rules_.fixedSize.area()) return std::nullopt;
    auto places = packed(sizes, rules_.fixedSize, canvases, kCanvasGap);
    if (!places) return std::nullopt;
    layout.places = std::move(*places);
    return layout;
  }

  /** One region around all RPs, for a crowd whose gaps and context fill the canvases. */
  Layout allInOne() {
    Atom all = std::move(regions_.front());
    for (std::size_t i = 1; i < regions_.size(); ++i) {
      all.wanted = unite(all.wanted, regions_[i].wanted);
      all.rps.insert(all.rps.end(), regions_[i].rps.begin(), regions_[i].rps.end());
    }
    std::ranges::sort(all.rps);
    regions_ = {all};
    const Rect rect = rectOf(all.wanted, 1);
    return {{rect}, {std::min(1.0, rules_.inputScale(input_.squareSize(rect)))}, {{}}};
  }

  /** The layout of the highest resolution that fits. `best` is that for `fits`. */
  Layout closest(Layout best, double fits, double most, int canvases) const {
    if (most <= fits) return best;
    if (std::optional<Layout> layout = layoutAt(most, canvases)) return std::move(*layout);
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = (fits + most) / 2;
      if (std::optional<Layout> layout = layoutAt(middle, canvases)) {
        fits = middle;
        best = std::move(*layout);
      } else {
        most = middle;
      }
    }
    return best;
  }

  Plan planOf(const Layout& layout) const {
    Plan plan;
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      const PackedPlace& place = layout.places[i];
      const int server = servers_[static_cast<std::size_t>(place.page)];
      plan.parts.push_back({.rect = layout.rects[i],
                            .scale = layout.scales[i],
                            .pixelAspect = input_.pixelAspect,
                            .kind = PartKind::Rp,
                            .server = server,
                            .rps = regions_[i].rps,
                            .place = CanvasPlace{place.page, place.x, place.y}});
      if (place.page >= std::ssize(plan.canvases))
        plan.canvases.resize(static_cast<std::size_t>(place.page) + 1);
      plan.canvases[static_cast<std::size_t>(place.page)] = {rules_.fixedSize, server};
    }
    setMakespan(plan, input_.capacity);
    return plan;
  }

  const PartitionInput& input_;
  const ModelRules& rules_;
  const ModelRules shape_;
  std::vector<Atom> regions_;
  /** By region: the scale at which the model sees all of its objects. */
  std::vector<double> needed_;
  const std::vector<int> servers_;
};

/** A canvas must save this share of the time, so that plans do not change from frame to frame. */
constexpr double kWorthIt = 0.97;
/** Widths of a canvas that are tried, over the side of a square of its parts' area. */
constexpr double kShapes[] = {0.8, 1, 1.25, 1.6, 2.2};

/** A region as it is sent. */
struct Sent {
  Rect rect;
  double scale = 1;
  Size size;
  /** Index into the regions. */
  std::size_t region = 0;
};

class JoiningPlanner {
 public:
  explicit JoiningPlanner(const PartitionInput& input)
      : input_(input),
        rules_(input.capacity.rules),
        shape_(rulesInside(rules_)),
        regions_(regionsOf(input, shape_)) {
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      const double scale = input.scale ? sentScale(regions_[i].leastScale) : 1;
      const Rect rect = cutFor(regions_[i].wanted, scale, shape_, input.frame, input.pixelAspect);
      sent_.push_back({rect, scale, input.squareSize(rect).scaled(scale), i});
    }
    std::ranges::stable_sort(sent_, std::ranges::greater(),
                             [](const Sent& one) { return one.size.area(); });
  }

  /** With the regions spread over these servers; unset if a canvas would be too large. */
  std::optional<Plan> plan(const std::vector<int>& servers) const {
    std::vector<double> done;
    for (const int server : servers) done.push_back(stateOf(server).busy);
    std::vector<std::vector<const Sent*>> shares(servers.size());
    for (const Sent& one : sent_) {
      const auto after = [&](std::size_t i) {
        const double pixels = one.size.area();
        return done[i] + (shares[i].empty() ? stateOf(servers[i]).seconds(pixels, pixels)
                                            : stateOf(servers[i]).seconds(pixels, pixels) -
                                                  stateOf(servers[i]).seconds(0, 0));
      };
      std::size_t best = 0;
      for (std::size_t i = 1; i < servers.size(); ++i)
        if (after(i) < after(best)) best = i;
      done[best] = after(best);
      shares[best].push_back(&one);
    }
    Plan plan;
    for (std::size_t i = 0; i < servers.size(); ++i)
      if (!add(shares[i], servers[i], plan)) return std::nullopt;
    setMakespan(plan, input_.capacity);
    return plan;
  }

 private:
  const ServerState& stateOf(int server) const {
    return input_.capacity.servers[static_cast<std::size_t>(server)];
  }

  Part partOf(const Sent& sent, int server) const {
    return {.rect = sent.rect,
            .scale = sent.scale,
            .pixelAspect = input_.pixelAspect,
            .kind = PartKind::Rp,
            .server = server,
            .rps = regions_[sent.region].rps};
  }

  bool fits(Size size) const {
    return rules_.maxSize.empty() ||
           (size.width <= rules_.maxSize.width && size.height <= rules_.maxSize.height);
  }

  /** Adds what one server gets. */
  bool add(const std::vector<const Sent*>& share, int server, Plan& plan) const {
    if (share.empty()) return true;
    if (share.size() == 1) {
      Part part = partOf(*share.front(), server);
      part.rect = cutFor(regions_[share.front()->region].wanted, part.scale, rules_, input_.frame,
                         input_.pixelAspect);
      plan.parts.push_back(std::move(part));
      return fits(plan.parts.back().sentSize());
    }
    Size best;
    const std::vector<PackedPlace> places = smallest(share, best);
    if (!fits(best)) return false;
    const int canvas = static_cast<int>(plan.canvases.size());
    for (std::size_t i = 0; i < share.size(); ++i) {
      Part part = partOf(*share[i], server);
      part.place = CanvasPlace{canvas, places[i].x, places[i].y};
      plan.parts.push_back(std::move(part));
    }
    plan.canvases.push_back({best, server});
    return true;
  }

  /** The places in the smallest canvas of some shapes, whose size the model takes. */
  std::vector<PackedPlace> smallest(const std::vector<const Sent*>& share, Size& size) const {
    // In units of the model's grid: parts then begin on it.
    const int unit = rules_.align;
    std::vector<Size> cells;
    double area = 0;
    Size least;
    int height = 0;
    for (const Sent* one : share) {
      const Size cell{roundUp(one->size.width + kCanvasGap, unit) / unit,
                      roundUp(one->size.height + kCanvasGap, unit) / unit};
      area += cell.area();
      least.width = std::max(least.width, cell.width);
      height += cell.height;
      cells.push_back(cell);
    }
    std::vector<PackedPlace> best;
    for (const double shape : kShapes) {
      const Size page{std::max(least.width, static_cast<int>(std::ceil(shape * std::sqrt(area)))),
                      height};
      std::optional<std::vector<PackedPlace>> places = packed(cells, page, 1, 0);
      if (!places) continue;  // the skyline may waste more than the height allows
      Size used;
      for (std::size_t i = 0; i < share.size(); ++i) {
        PackedPlace& place = (*places)[i];
        place.x *= unit;
        place.y *= unit;
        used.width = std::max(used.width, place.x + share[i]->size.width);
        used.height = std::max(used.height, place.y + share[i]->size.height);
      }
      const Size canvas{roundUp(std::max(used.width, rules_.minSize.width), rules_.multipleOf),
                        roundUp(std::max(used.height, rules_.minSize.height), rules_.multipleOf)};
      if (!best.empty() && canvas.area() >= size.area()) continue;
      size = canvas;
      best = std::move(*places);
    }
    return best;
  }

  const PartitionInput& input_;
  const ModelRules& rules_;
  const ModelRules shape_;
  const std::vector<Atom> regions_;
  /** The largest first. */
  std::vector<Sent> sent_;
};

}  // namespace

std::vector<int> serversForRuns(const Capacity& capacity) {
  std::vector<int> servers = usableServers(capacity);
  const auto seconds = [&](int server) {
    return runSeconds(capacity.servers[static_cast<std::size_t>(server)], capacity.rules);
  };
  std::ranges::stable_sort(servers, {}, seconds);
  const double most = kMostWait * seconds(servers.front());
  const auto share = servers.size() / static_cast<std::size_t>(std::max(1, capacity.maxInFlight));
  servers.resize(std::max<std::size_t>(1, share));
  std::erase_if(servers, [&](int server) { return seconds(server) > most; });
  return servers;
}

Plan planCanvases(const PartitionInput& input) {
  return CanvasPlanner(input).plan();
}

Plan joinedInCanvases(Plan plan, const PartitionInput& input) {
  if (input.capacity.rules.placed || plan.parts.size() < 2) return plan;
  const auto serversOf = [](const Plan& one) {
    std::set<int> servers;
    for (const Part& part : one.parts) servers.insert(part.server);
    return servers;
  };
  const std::set<int> used = serversOf(plan);
  std::optional<Plan> joined = JoiningPlanner(input).plan({used.begin(), used.end()});
  // A server without work would teach nothing about its cost.
  if (joined && joined->makespan <= kWorthIt * plan.makespan && serversOf(*joined) == used)
    return std::move(*joined);
  return plan;
}

}  // namespace elf
