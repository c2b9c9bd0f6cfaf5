// SPDX-License-Identifier: LGPL-2.1-or-later
// One predicted frame beside what it really held, as the protocols of evaluation show it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "elf/geometry/box.h"
#include "elf/partition/plan.h"

namespace elf::eval {

struct Scene {
  /** Name of the trace, and number of the frame in it, from 0. */
  std::string trace;
  std::int64_t frame = 0;
  Size size;
  std::vector<Box> truth;
  /** `box` is padded; the same as `expected` where a protocol does not pad. */
  std::vector<Rp> rps;
};

/** Is called with each frame that a protocol predicted, in order. May be empty. */
using Watcher = std::function<void(const Scene&)>;

}  // namespace elf::eval
