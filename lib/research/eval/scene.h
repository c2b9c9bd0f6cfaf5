// SPDX-License-Identifier: LGPL-2.1-or-later
// One frame as the protocols of evaluation show it: predicted beside what it held, or planned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/types/capacity.h"
#include "elf/types/plan.h"
#include "research/data/traces.h"

namespace elf::eval {

/** How a frame was cut, and for whom. */
struct PlannedScene {
  Plan plan;
  /** What each part takes on its server, in the unit of the plan's makespan. */
  std::vector<double> partTimes;
  /** Servers that there are, those without parts too. */
  std::size_t servers = 0;
};

struct Scene {
  /** Name of the trace, and number of the frame in it, from 0. */
  std::string trace;
  std::int64_t frame = 0;
  Size size;
  std::vector<Box> truth;
  /** `box` is padded; the same as `expected` where a protocol does not pad. */
  std::vector<Rp> rps;
  /** Set where the plan is what is shown, and not how good the RPs are. */
  std::optional<PlannedScene> planned;
};

/** A frame of a trace with its plan for the servers of `capacity`, without truth. */
Scene plannedScene(const Trace& trace, const TraceFrame& frame, std::vector<Rp> rps,
                   const Plan& plan, const Capacity& capacity);

/** Is called with each frame that a protocol predicted or planned, in order. May be empty. */
using Watcher = std::function<void(const Scene&)>;

}  // namespace elf::eval
