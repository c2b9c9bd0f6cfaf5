// SPDX-License-Identifier: LGPL-2.1-or-later
// What someone sees who watches a mode live (docs/elf-bench.md says what each figure means).
#pragma once

#include <optional>
#include <vector>

#include "elf/agreement/agreement.h"
#include "elf/agreement/statistics.h"
#include "gst/bench/options.h"
#include "gst/bench/yardstick.h"

namespace elf::bench {

/** One repeat of one mode that was played by the clock. */
struct LiveFigures {
  /** Shares of all captured frames. */
  double shown = 0, inferred = 0;
  /** From capture until arrival at the sink, of the frames that came out of the pipeline. */
  eval::Summary delayMs;
  /** How old the boxes of the shown frames are. */
  eval::Summary ageMs;
  /** The boxes that were shown with each frame against the reference of that frame. */
  eval::Figures confident, confident75;
  /** The newest boxes that are known at each capture instant against the reference of the frame
   * captured then. */
  eval::Figures streaming;
  std::optional<eval::TruthFigures> confidentTruth, streamingTruth;
  /** For each frame that came out of the pipeline. */
  struct Delay {
    std::size_t frame = 0;
    double ms = 0;
  };
  std::vector<Delay> delays;
};

/**
 * Of a run over all frames of the reference. `out` are the frames that came out of the pipeline, in
 * that order; their times run from capture. With `holdsBoxes` a frame that did not come out
 * counts as shown, and each that was not inferred has the last inferred boxes.
 */
LiveFigures measureLive(const std::vector<FrameResult>& out, const Live& live, bool holdsBoxes,
                        const Yardstick& yardstick);

/** The worst of each figure; there is at least one. */
LiveFigures worstOf(const std::vector<LiveFigures>& repeats);

}  // namespace elf::bench
