// SPDX-License-Identifier: LGPL-2.1-or-later
// RPs that always share a part. Not installed.
#pragma once

#include <cstddef>
#include <vector>

#include "elf/partition/cutting.h"

namespace elf {

/** More RPs are grouped by place first, so that a crowd takes no more time. */
inline constexpr std::size_t kMostAtoms = 128;

/** RPs that always stay together. */
struct Atom {
  Wanted wanted;
  /** The smallest scale at which the model sees all of them. */
  double leastScale = 0;
  /** Indices into PartitionInput::rps. */
  std::vector<int> rps;
};

/** One for each RP, or in a crowd for all RPs of one place: at most kMostAtoms. */
std::vector<Atom> atomsOf(const PartitionInput& input);

}  // namespace elf
