// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/cutting.h"

#include <algorithm>
#include <numeric>

namespace elf {

namespace {

struct Span {
  int from;
  int to;
};

// One axis of cutFor().
Span cutAxis(int from, int to, int frame, int minimum, const ModelRules& rules) {
  from = std::clamp(from - rules.context, 0, frame - 1);
  to = std::clamp(to + rules.context, from + 1, frame);
  const int align = std::max(1, rules.align);
  const int missing = std::min(minimum, frame) - (to - from);
  if (missing > 0) {
    from = std::max(0, from - missing / 2);
    to = std::min(frame, from + std::min(minimum, frame));
    from = std::min(from, to - std::min(minimum, frame));
  }
  from = from / align * align;
  const int length = roundUp(to - from, std::max(1, rules.multipleOf));
  // Real pixels are worth more than the server's padding; at the frame's edge there are none.
  to = std::min(frame, std::max(to, from + length));
  return {from, to};
}

/** How long each server has work already. */
std::vector<double> busyNow(const Capacity& capacity) {
  std::vector<double> busy;
  for (const ServerState& server : capacity.servers) busy.push_back(server.busy);
  return busy;
}

}  // namespace

Rect cutFor(const Rect& wanted, const ModelRules& rules, Size frame) {
  const Span x = cutAxis(wanted.x, wanted.right(), frame.width, rules.minSize.width, rules);
  const Span y = cutAxis(wanted.y, wanted.bottom(), frame.height, rules.minSize.height, rules);
  return {x.from, y.from, x.to - x.from, y.to - y.from};
}

std::vector<int> usableServers(const Capacity& capacity) {
  std::vector<int> usable;
  for (std::size_t i = 0; i < capacity.servers.size(); ++i)
    if (capacity.servers[i].healthy) usable.push_back(static_cast<int>(i));
  if (usable.empty()) {
    usable.resize(capacity.servers.size());
    std::iota(usable.begin(), usable.end(), 0);
  }
  return usable;
}

void assignServers(Plan& plan, const Capacity& capacity) {
  const std::vector<int> servers = usableServers(capacity);
  std::vector<std::size_t> order(plan.parts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return plan.parts[a].sentSize().area() > plan.parts[b].sentSize().area();
  });
  std::vector<double> busy = busyNow(capacity);
  plan.makespan = 0;
  for (const std::size_t i : order) {
    Part& part = plan.parts[i];
    const auto done = [&](int server) {
      const auto s = static_cast<std::size_t>(server);
      return busy[s] + capacity.seconds(capacity.servers[s], part.sentSize().area());
    };
    part.server = *std::min_element(servers.begin(), servers.end(),
                                    [&](int a, int b) { return done(a) < done(b); });
    busy[static_cast<std::size_t>(part.server)] = done(part.server);
    plan.makespan = std::max(plan.makespan, busy[static_cast<std::size_t>(part.server)]);
  }
}

int idlestServer(const Plan& plan, const Part& part, const Capacity& capacity) {
  std::vector<double> done = busyNow(capacity);
  for (const Part& each : plan.parts)
    done[static_cast<std::size_t>(each.server)] += capacity.seconds(
        capacity.servers[static_cast<std::size_t>(each.server)], each.sentSize().area());
  for (std::size_t i = 0; i < done.size(); ++i)
    done[i] += capacity.seconds(capacity.servers[i], part.sentSize().area());
  const std::vector<int> servers = usableServers(capacity);
  return *std::min_element(servers.begin(), servers.end(), [&](int a, int b) {
    return done[static_cast<std::size_t>(a)] < done[static_cast<std::size_t>(b)];
  });
}

void setMakespan(Plan& plan, const Capacity& capacity) {
  std::vector<double> busy = busyNow(capacity);
  plan.makespan = 0;
  for (const Part& part : plan.parts) {
    const auto s = static_cast<std::size_t>(part.server);
    busy[s] += capacity.seconds(capacity.servers[s], part.sentSize().area());
    plan.makespan = std::max(plan.makespan, busy[s]);
  }
}

void listRps(Plan& plan, std::span<const Rp> rps, Size frame) {
  for (std::size_t i = 0; i < rps.size(); ++i) {
    const Rect rect = roundOutwards(rps[i].box, frame);
    const auto part = std::find_if(plan.parts.begin(), plan.parts.end(),
                                   [&](const Part& p) { return contains(p.rect, rect); });
    if (part != plan.parts.end()) part->rps.push_back(static_cast<int>(i));
  }
}

}  // namespace elf
