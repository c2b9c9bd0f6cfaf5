// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/elf_partitioner.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "elf/partition/cutting.h"

namespace elf {

namespace {

// RPs that share a part, and the part they get.
struct Group {
  Rect wanted;
  Rect cut;
  std::vector<int> rps;
};

Group merged(const Group& a, const Group& b, const PartitionInput& input) {
  Group both{unite(a.wanted, b.wanted), {}, a.rps};
  both.cut = cutFor(both.wanted, input.capacity.rules, input.frame);
  both.rps.insert(both.rps.end(), b.rps.begin(), b.rps.end());
  return both;
}

// What a request and a pixel cost on the usable servers, on average: merging is decided before it
// is known which server gets the part.
CostModel averageCost(const Capacity& capacity) {
  CostModel average{0, 0, 0};
  const std::vector<int> servers = usableServers(capacity);
  for (const int s : servers) {
    const CostModel& cost = capacity.servers[static_cast<std::size_t>(s)].cost;
    average.a += cost.a / static_cast<double>(servers.size());
    average.b += cost.b / static_cast<double>(servers.size());
  }
  return average;
}

// Merges the two groups whose union saves most; false where no union saves anything.
bool mergeBest(std::vector<Group>& groups, const CostModel& cost, const PartitionInput& input) {
  double mostSaved = 0;
  std::optional<std::pair<std::size_t, std::size_t>> best;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t j = i + 1; j < groups.size(); ++j) {
      const Rect both =
          cutFor(unite(groups[i].wanted, groups[j].wanted), input.capacity.rules, input.frame);
      const double saved = cost.seconds(groups[i].cut.area()) + cost.seconds(groups[j].cut.area()) -
                           cost.seconds(both.area());
      if (saved > mostSaved) {
        mostSaved = saved;
        best = {i, j};
      }
    }
  }
  if (!best) return false;
  groups[best->first] = merged(groups[best->first], groups[best->second], input);
  groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(best->second));
  return true;
}

Plan planOf(const std::vector<Group>& groups, const PartitionInput& input) {
  Plan plan;
  for (const Group& group : groups)
    plan.parts.push_back({.rect = group.cut, .kind = PartKind::Rp, .rps = group.rps});
  assignServers(plan, input.capacity);
  return plan;
}

double pixels(const Plan& plan) {
  double sum = 0;
  for (const Part& part : plan.parts) sum += part.sentSize().area();
  return sum;
}

// One group for each RP; for each cell of a coarse grid, by the RPs' centres, where there are so
// many that merging them one by one would take longer than the frame.
std::vector<Group> startingGroups(const PartitionInput& input) {
  constexpr std::size_t kMost = 128;
  constexpr int kColumns = 16, kRows = 8;
  static_assert(kColumns * kRows <= kMost);
  std::map<int, Group> byKey;
  for (std::size_t i = 0; i < input.rps.size(); ++i) {
    const Box& box = input.rps[i].box;
    const auto cell = [](float centre, int side, int cells) {
      return std::clamp(static_cast<int>(centre / static_cast<float>(side) * cells), 0, cells - 1);
    };
    const int key = input.rps.size() <= kMost
                        ? static_cast<int>(i)
                        : cell(box.centreY(), input.frame.height, kRows) * kColumns +
                              cell(box.centreX(), input.frame.width, kColumns);
    const Rect wanted = roundOutwards(box, input.frame);
    const auto [at, isNew] = byKey.try_emplace(key, Group{wanted, {}, {}});
    Group& group = at->second;
    if (!isNew) group.wanted = unite(group.wanted, wanted);
    group.rps.push_back(static_cast<int>(i));
  }
  std::vector<Group> groups;
  for (auto& [key, group] : byKey) {
    group.cut = cutFor(group.wanted, input.capacity.rules, input.frame);
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace

Plan ElfPartitioner::plan(const PartitionInput& input) const {
  std::vector<Group> groups = startingGroups(input);
  const CostModel cost = averageCost(input.capacity);
  Plan best = planOf(groups, input);
  while (mergeBest(groups, cost, input)) {
    Plan candidate = planOf(groups, input);
    if (candidate.makespan < best.makespan ||
        (candidate.makespan == best.makespan && pixels(candidate) < pixels(best)))
      best = std::move(candidate);
  }
  return best;
}

}  // namespace elf
