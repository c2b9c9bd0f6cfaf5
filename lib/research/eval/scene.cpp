// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/scene.h"

#include <utility>

#include "elf/partition/cutting.h"

namespace elf::eval {

Scene plannedScene(const Trace& trace, const TraceFrame& frame, std::vector<Rp> rps,
                   const Plan& plan, const Capacity& capacity) {
  PlannedScene planned{plan, {}, capacity.servers.size()};
  for (const Part& part : plan.parts) {
    const ServerState& server = capacity.servers[static_cast<std::size_t>(part.server)];
    planned.partTimes.push_back(secondsFor(part.sentSize(), server, capacity));
  }
  return {trace.name, frame.number, frame.size, {}, std::move(rps), std::move(planned)};
}

}  // namespace elf::eval
