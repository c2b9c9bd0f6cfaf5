// SPDX-License-Identifier: LGPL-2.1-or-later
// The evaluation of partitioners: the waiting time of frames if all objects were known beforehand.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "elf/agreement/statistics.h"
#include "elf/partition/partitioner.h"
#include "elf/predict/predictor.h"
#include "research/data/traces.h"
#include "research/eval/scene.h"

namespace elf::eval {

struct PartitionOptions {
  /** The speed of each server, > 0. Speed 1 infers the pixels of a whole frame in 1. At least
   * one. */
  std::vector<double> speeds{1.0};
  /** The additional time of each part, on any server, >= 0. */
  double fixedCost = 0.005;
  /** How true boxes are padded to RPs. */
  Padding padding{.ratio = 0.06, .minimum = 8};
  /** As in ModelRules. 0: nothing is scaled down. */
  int objectSize = 0;
};

/** All times are shares of the time of a whole frame on a server of speed 1, without its fixed
 * cost. */
struct PartitionFigures {
  std::size_t frames = 0;
  /** RPs of these frames, and those that no part holds whole. */
  std::size_t rps = 0;
  std::size_t cut = 0;
  Summary makespan;
  /** Mean over the frames of the sent pixels, as a share of the frame's. */
  double pixels = 0;
  /** Mean over the frames. */
  double parts = 0;
  /** The time of one plan on this machine, in microseconds. */
  Summary planUs;
  /**
   * Mean over the frames of a lower bound of every plan: the fixed cost, and the time in which the
   * fastest server infers the largest RP, or all together infer the union of the RPs. Each pixel
   * counts at the scale that the most demanding of its RPs allows.
   */
  double lowerBound = 0;
};

/**
 * Plans each frame of the traces that has boxes. The true boxes, padded and clipped to the frame,
 * are its RPs. Ignored regions and boxes outside the frame are left out. The model needs nothing
 * but `objectSize`.
 */
PartitionFigures evaluatePartition(std::span<const Trace> traces, const Partitioner& partitioner,
                                   const PartitionOptions& options, const Watcher& watch = {});

}  // namespace elf::eval
