// SPDX-License-Identifier: LGPL-2.1-or-later
// Objects of made traces.
#pragma once

#include <cstdint>

#include "research/data/traces.h"

namespace elf::testing {

inline TraceObject traceObject(std::int64_t id, const Box& box, bool ignored = false) {
  TraceObject made;
  made.id = id;
  made.labelId = 2;
  made.label = "person";
  made.box = box;
  made.ignored = ignored;
  return made;
}

}  // namespace elf::testing
