// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the frames of the input through one mode's pipeline and measures each.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "elf/types/detection.h"
#include "gst/bench/input.h"
#include "gst/bench/modes.h"

namespace elf::bench {

/** The detections of each frame of the input. */
using FrameDetections = std::vector<std::vector<Detection>>;

/** The result of one frame in one mode. */
struct FrameResult {
  std::size_t frame = 0;
  /** From entry into the first Elf element (live: from capture) until the frame left elfmerge. 0
   * for a frame that was not inferred but took over the boxes of an earlier one. */
  double latencyMs = 0;
  /** Live: from capture until its boxes arrived in the message `elf-result`. */
  double answeredMs = 0;
  /** Every part of its plan was answered. */
  bool inferred = false;
  /** Bytes of pictures, and those that elfoffload's `bandwidth` counts. */
  std::size_t bytes = 0, countedBytes = 0;
  /** The bytes of the whole frame. */
  std::size_t wholeBytes = 0;
  double pixels = 0;
  /** Pictures that were sent, repeated ones too; those of them that are canvases, each once. */
  int runs = 0, canvases = 0;
  /** elfoffload's choices for the frame. */
  int quality = 0;
  double scale = 1;
  std::vector<Detection> detections;
  // Signs that the measurement is not fair.
  bool coasted = false;
  bool failed = false;
  bool retried = false;
  bool skipped = false;
};

/**
 * A running pipeline of one mode. It keeps its history from one run() to the next, so that modes
 * can take turns on the same video. Used from one thread.
 */
class ModeRun {
 public:
  /**
   * Starts the pipeline. `input` and `reference` must outlive this object. `minScore` selects the
   * boxes of the reference that count. Throws elf::Error naming the mode if it can't start.
   */
  ModeRun(Mode mode, const Input& input, const FrameDetections& reference, float minScore);
  ModeRun(const ModeRun&) = delete;
  ModeRun& operator=(const ModeRun&) = delete;
  ~ModeRun();

  /**
   * Runs frames [begin, end) of the input, except those that the mode leaves out, and adds to
   * results(). The blocks of a run must follow each other. A live run is one block. Throws
   * elf::Error naming the mode and the fault if the pipeline fails or outputs no frame for a
   * minute.
   */
  void run(std::size_t begin, std::size_t end);

  const Mode& mode() const { return mode_; }
  /** One for each frame of the mode, in order. Live: one for each frame that left the pipeline. */
  const std::vector<FrameResult>& results() const { return results_; }
  /** Time spent in run(). */
  double seconds() const { return seconds_; }

 private:
  class Pipeline;

  Mode mode_;
  std::unique_ptr<Pipeline> pipeline_;
  std::vector<FrameResult> results_;
  double seconds_ = 0;
};

}  // namespace elf::bench
