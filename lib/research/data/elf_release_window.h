// SPDX-License-Identifier: LGPL-2.1-or-later
// The training and evaluation data of the released code of Elf: three frames, the last to be
// predicted.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "elf/predict/indexing.h"
#include "research/data/traces.h"

namespace elf {

struct ElfReleaseWindow {
  /** Frames before the one to predict. */
  static constexpr std::size_t kHistory = 2;

  /** All boxes of the frame to predict, including ignored regions. */
  std::vector<LabelledBox> targets;
  /** The place of each target in the earlier frames, oldest first. If `leaks`, its own box. */
  std::array<std::vector<Box>, kHistory> history;
  /** The target has no partner in that frame. */
  std::array<std::vector<bool>, kHistory> leaks;
};

/**
 * The window that ends with frame `last` (>= kHistory) of the trace, whatever the numbers of its
 * frames. `indexer` is the released rule if the figures must be those of the released code.
 */
ElfReleaseWindow elfReleaseWindow(const Trace& trace, std::size_t last, const RpIndexer& indexer);

}  // namespace elf
