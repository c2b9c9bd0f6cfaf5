// SPDX-License-Identifier: LGPL-2.1-or-later
// One frame of an evaluation protocol: its predictions and truth, or its plan.
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

/** The plan of a frame, with its times. */
struct PlannedScene {
  Plan plan;
  /** The time of each part on its server, in the unit of the plan's makespan. */
  std::vector<double> partTimes;
  /** All servers, including those without parts. */
  std::size_t servers = 0;
};

struct Scene {
  /** Name of the trace, and number of the frame in it, from 0. */
  std::string trace;
  std::int64_t frame = 0;
  Size size;
  std::vector<Box> truth;
  /** `box` is padded. It equals `expected` if a protocol does not pad. */
  std::vector<Rp> rps;
  /** Set if the scene shows the plan, not the quality of the RPs. */
  std::optional<PlannedScene> planned;
};

/** A frame of a trace with its plan for the servers of `capacity`, without truth. */
Scene plannedScene(const Trace& trace, const TraceFrame& frame, std::vector<Rp> rps,
                   const Plan& plan, const Capacity& capacity);

/** Called with each frame that a protocol predicted or planned, in order. May be empty. */
using Watcher = std::function<void(const Scene&)>;

}  // namespace elf::eval
