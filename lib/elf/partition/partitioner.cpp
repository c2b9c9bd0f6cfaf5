// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/partitioner.h"

#include <algorithm>
#include <cmath>

#include "elf/base/error.h"
#include "elf/partition/canvases.h"
#include "elf/partition/cutting.h"
#include "elf/partition/elf_partitioner.h"

namespace elf {

namespace {

/** The whole frame in equal cells. Neighbours overlap by a fifth. */
class GridPartitioner final : public Partitioner {
 public:
  bool needsRps() const override { return false; }

  Plan plan(const PartitionInput& input) const override {
    const std::vector<int> servers = usableServers(input.capacity);
    Size grid = input.grid;
    if (grid.empty()) {
      const int cells = static_cast<int>(servers.size());
      // The most even factors, with more columns than rows since frames are wide.
      grid.height = static_cast<int>(std::sqrt(cells));
      while (cells % grid.height != 0) --grid.height;
      grid.width = cells / grid.height;
    }
    Plan plan;
    for (int i = 0; i < grid.width * grid.height; ++i) {
      const Rect cell =
          overlapping(i % grid.width, grid.width, i / grid.width, grid.height, input.frame);
      Part part{.rect = cell, .pixelAspect = input.pixelAspect, .kind = PartKind::Grid};
      part.server = input.grid.empty() ? servers[static_cast<std::size_t>(i)]
                                       : idlestServer(plan, part, input.capacity);
      plan.parts.push_back(std::move(part));
    }
    listRps(plan, input.rps, input.frame);
    setMakespan(plan, input.capacity);
    return plan;
  }

 private:
  static Rect overlapping(int column, int columns, int row, int rows, Size frame) {
    const auto edge = [](int index, int count, int side, double widenBy) {
      const double cell = static_cast<double>(side) / count;
      return std::clamp(static_cast<int>(std::lround(cell * (index + widenBy))), 0, side);
    };
    const int x0 = std::min(edge(column, columns, frame.width, -kOverlap / 2), frame.width - 1);
    const int x1 = edge(column + 1, columns, frame.width, kOverlap / 2);
    const int y0 = std::min(edge(row, rows, frame.height, -kOverlap / 2), frame.height - 1);
    const int y1 = edge(row + 1, rows, frame.height, kOverlap / 2);
    return {x0, y0, std::max(1, x1 - x0), std::max(1, y1 - y0)};
  }

  static constexpr double kOverlap = 0.2;
};

/**
 * As in the released Elf: cuts the rectangle around all RPs into vertical strips of equal width, in
 * whole pixels, one for each server. An RP belongs to the strip that it overlaps most. Each strip
 * shrinks to its RPs and is then widened on each side by max(6 % of itself, 10 % of the frame),
 * rounded down. A strip without RPs is not sent. The released code sends a corner of the frame
 * instead.
 */
class StripsPartitioner final : public Partitioner {
 public:
  Plan plan(const PartitionInput& input) const override {
    Plan plan;
    if (input.rps.empty()) return plan;
    Box around = input.rps.front().box;
    for (const Rp& rp : input.rps) around = unite(around, rp.box);

    const std::vector<int> servers = usableServers(input.capacity);
    const float width = std::floor(around.width() / static_cast<float>(servers.size()));
    std::vector<std::vector<int>> members(servers.size());
    for (std::size_t i = 0; i < input.rps.size(); ++i)
      members[mostOverlapped(input.rps[i].box, around.x0, width, servers.size())].push_back(
          static_cast<int>(i));

    for (std::size_t s = 0; s < servers.size(); ++s) {
      if (members[s].empty()) continue;
      Box box = input.rps[static_cast<std::size_t>(members[s].front())].box;
      for (const int i : members[s]) box = unite(box, input.rps[static_cast<std::size_t>(i)].box);
      const float dx = std::max(0.06F * box.width(), 0.1F * static_cast<float>(input.frame.width));
      const float dy =
          std::max(0.06F * box.height(), 0.1F * static_cast<float>(input.frame.height));
      // In a tiny frame a tenth is less than a pixel.
      const Rect least = roundOutwards(box, input.frame);
      plan.parts.push_back(
          {.rect = unite(roundDown(grow(box, {dx, dy, dx, dy}), input.frame), least),
           .pixelAspect = input.pixelAspect,
           .kind = PartKind::Rp,
           .server = servers[s],
           .rps = members[s]});
    }
    setMakespan(plan, input.capacity);
    return plan;
  }

 private:
  static Rect roundDown(const Box& box, Size frame) {
    const Box c = clip(box, frame);
    const int x = static_cast<int>(c.x0);
    const int y = static_cast<int>(c.y0);
    return {x, y, static_cast<int>(c.x1) - x, static_cast<int>(c.y1) - y};
  }

  static std::size_t mostOverlapped(const Box& box, float origin, float width, std::size_t strips) {
    std::size_t best = 0;
    float most = -1;
    for (std::size_t s = 0; s < strips; ++s) {
      const float from = origin + width * static_cast<float>(s);
      const float common = std::min(box.x1, from + width) - std::max(box.x0, from);
      if (common > most) {
        most = common;
        best = s;
      }
    }
    return best;
  }
};

}  // namespace

std::span<const Choice> partitionerChoices() {
  static constexpr Choice kChoices[] = {
      {"elf", "Parts around the RPs, planned so that the servers finish soonest"},
      {"strips", "As the released Elf: vertical strips of the RP area, one per server"},
      {"grid", "The whole frame in equal cells, one per server"},
  };
  return kChoices;
}

std::unique_ptr<Partitioner> Partitioner::create(std::string_view name) {
  if (name == "elf") return std::make_unique<ElfPartitioner>();
  if (name == "strips") return std::make_unique<StripsPartitioner>();
  if (name == "grid") return std::make_unique<GridPartitioner>();
  throw Error("partitioner", "unknown name \"" + std::string(name) + "\"");
}

Plan splitWholeFrame(Size frame, const Capacity& capacity, double pixelAspect) {
  const ModelRules& rules = capacity.rules;
  const std::vector<int> servers =
      takesCanvases(rules) ? serversForRuns(capacity) : usableServers(capacity);

  std::vector<double> speeds;
  double total = 0;
  for (const int s : servers) {
    const ServerState& server = capacity.servers[static_cast<std::size_t>(s)];
    // A microsecond for a megapixel is as good as nothing.
    constexpr double kLeast = 1e-12;
    const double pixel = server.cost.b + server.cost.c * server.bytesPerPixel;
    speeds.push_back(1 / std::max(pixel, kLeast));
    total += speeds.back();
  }
  // Each strip shows an object of the model's smallest size whole on its edge.
  const int overlap = std::max(rules.minSize.width, 2 * rules.context);
  ModelRules shape = rules;
  shape.context = 0;  // it is part of the overlap already
  Plan plan;
  double done = 0;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const int from = static_cast<int>(std::lround(done / total * frame.width));
    done += speeds[i];
    const int to = static_cast<int>(std::lround(done / total * frame.width));
    const int x0 = std::min(std::max(0, from - (overlap + 1) / 2), frame.width - 1);
    const int x1 = std::min(frame.width, std::max(to + overlap / 2, x0 + 1));
    const Rect strip{x0, 0, x1 - x0, frame.height};
    plan.parts.push_back({.rect = cutFor({strip, strip}, 1, shape, frame, pixelAspect),
                          .pixelAspect = pixelAspect,
                          .kind = PartKind::Full,
                          .server = servers[i]});
  }
  setMakespan(plan, capacity);
  return plan;
}

}  // namespace elf
