// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the frames of the input through one mode's pipeline, and measures each.
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

/** What one mode made of one frame. */
struct FrameResult {
  std::size_t frame = 0;
  /** From entry into the first Elf element (live: from capture) until the frame came out of
   * elfmerge; 0 for a frame that was not inferred but took over the boxes of an earlier one. */
  double latencyMs = 0;
  /** Live: from capture until its boxes were there, in the message `elf-result`. */
  double answeredMs = 0;
  /** Every part of its plan was answered. */
  bool inferred = false;
  /** Of pictures, and with what else `bandwidth` of elfoffload counts. */
  std::size_t bytes = 0, countedBytes = 0;
  /** Those that the whole frame would have had. */
  std::size_t wholeBytes = 0;
  double pixels = 0;
  /** What elfoffload chose for the frame. */
  int quality = 0;
  double scale = 1;
  std::vector<Detection> detections;
  // What makes a run no fair measurement.
  bool coasted = false;
  bool failed = false;
  bool retried = false;
  bool skipped = false;
};

/**
 * A running pipeline of one mode. Its history lives from one run() to the next, so that modes can
 * take turns on the same video. Used from one thread.
 */
class ModeRun {
 public:
  /**
   * Starts the pipeline. `input` and `reference` must outlive this object; `minScore` says which
   * boxes of the reference count. Throws elf::Error naming the mode where it can't start.
   */
  ModeRun(Mode mode, const Input& input, const FrameDetections& reference, float minScore);
  ModeRun(const ModeRun&) = delete;
  ModeRun& operator=(const ModeRun&) = delete;
  ~ModeRun();

  /**
   * Runs frames [begin, end) of the input, of which the mode may leave out some, and adds to
   * results(). Blocks of a run follow each other; a live run is one block. Throws elf::Error naming
   * the mode and what went wrong where the pipeline fails or no frame comes out for a minute.
   */
  void run(std::size_t begin, std::size_t end);

  const Mode& mode() const { return mode_; }
  /** One for each frame of the mode, in their order; live, for each that came out of the pipeline.
   */
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
