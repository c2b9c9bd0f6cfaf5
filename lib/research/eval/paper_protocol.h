// SPDX-License-Identifier: LGPL-2.1-or-later
// The evaluation of RP prediction as in the released code of Elf, including its leak.
#pragma once

#include <cstddef>
#include <span>

#include "elf/predict/predictor.h"
#include "research/data/traces.h"
#include "research/eval/scene.h"

namespace elf::eval {

/** The results of evaluatePaper(). */
struct PaperFigures {
  /** Windows of three frames: one for each frame of the data, but none that ends in an empty
   * one. */
  std::size_t windows = 0;
  /** Boxes of the last frames of all windows. */
  std::size_t targets = 0;
  /**
   * Mean over the windows of a window's loss: the mean squared error of each of the four
   * coordinates, in parts of the frame's width and height, summed, plus 1 - IoU, mean over its
   * targets.
   */
  double loss = 0;
  /** Mean over the windows of the mean intersection over union of its targets. */
  double iou = 0;
  /** Targets with an entry of the history that was replaced by the target itself. */
  std::size_t leaking = 0;
  /** Windows with targets that do not leak. The next two are over these targets alone. */
  std::size_t cleanWindows = 0;
  double lossClean = 0;
  double iouClean = 0;
};

/**
 * Each window is two frames of history and the frame after them, whose boxes are the targets. The
 * rule `elf-release` of RP indexing matches each target with both frames. If it finds no partner,
 * the target's own box replaces it: this is the leak. Ignored regions are targets, too.
 *
 * Window i ends with frame i of the data, counted through all videos, with exceptions: in each
 * video but the first it is the frame before, the last one of the first video is the frame before,
 * and no window ends before the fourth frame of a video. So some windows occur several times.
 *
 * A window whose last frame is empty has no error and is left out. Throws elf::Error naming a trace
 * of fewer than five frames, which the released code can't use either.
 */
PaperFigures evaluatePaper(std::span<const Trace> traces, const RpPredictor& predictor,
                           const Watcher& watch = {});

}  // namespace elf::eval
