// SPDX-License-Identifier: LGPL-2.1-or-later
// The view of a live viewer of a mode. docs/elf-bench.md explains each figure.
#pragma once

#include <optional>
#include <vector>

#include "elf/agreement/agreement.h"
#include "elf/agreement/statistics.h"
#include "gst/bench/options.h"
#include "gst/bench/yardstick.h"

namespace elf::bench {

/** One repeat of one mode that was played in real time. */
struct LiveFigures {
  /** Shares of all captured frames. */
  double shown = 0, inferred = 0;
  /** From capture to arrival at the sink, for the frames that left the pipeline. */
  eval::Summary delayMs;
  /** The age of the boxes on the shown frames. */
  eval::Summary ageMs;
  /** The boxes shown with each frame, compared with the reference of that frame. */
  eval::Figures confident, confident75;
  /** The newest known boxes at each capture instant, compared with the reference of the frame
   * captured then. */
  eval::Figures streaming;
  std::optional<eval::TruthFigures> confidentTruth, streamingTruth;
  /** For each frame that left the pipeline. */
  struct Delay {
    std::size_t frame = 0;
    double ms = 0;
  };
  std::vector<Delay> delays;
};

/**
 * The figures of a run over all frames of the reference. `out` holds the frames that left the
 * pipeline, in that order. Their times start at capture. With `holdsBoxes` a frame that did not
 * leave the pipeline counts as shown, and each frame that was not inferred has the last inferred
 * boxes.
 */
LiveFigures measureLive(const std::vector<FrameResult>& out, const Live& live, bool holdsBoxes,
                        const Yardstick& yardstick);

/** The worst of each figure. `repeats` must not be empty. */
LiveFigures worstOf(const std::vector<LiveFigures>& repeats);

}  // namespace elf::bench
