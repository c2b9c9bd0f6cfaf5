// SPDX-License-Identifier: LGPL-2.1-or-later
// The evaluation of partitioners: how long frames would wait if all objects were known beforehand.
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
  /** Of each server, > 0; one of speed 1 takes 1 for the pixels of a whole frame. At least one. */
  std::vector<double> speeds{1.0};
  /** What each part takes besides, on any server, >= 0. */
  double fixedCost = 0.005;
  /** How true boxes are widened to be RPs. */
  Padding padding{.ratio = 0.06, .minimum = 8};
  /** As in ModelRules; 0: nothing is scaled down. */
  int objectSize = 0;
};

/** All times are shares of what a whole frame takes a server of speed 1, without its fixed cost. */
struct PartitionFigures {
  std::size_t frames = 0;
  /** RPs of these frames, and those of them that lie whole in no part. */
  std::size_t rps = 0;
  std::size_t cut = 0;
  Summary makespan;
  /** Mean over the frames of the pixels that are sent, as a share of the frame's. */
  double pixels = 0;
  /** Mean over the frames. */
  double parts = 0;
  /** Of one plan on this machine, in microseconds. */
  Summary planUs;
  /**
   * Mean over the frames of what no plan can be faster than: the fixed cost, and the time in which
   * the fastest server does the largest RP, or all together do the union of the RPs. Each pixel
   * counts at the scale at which the most demanding of its RPs may be sent.
   */
  double lowerBound = 0;
};

/**
 * Plans each frame of the traces that has boxes: the true ones, widened and clipped to the frame,
 * are its RPs. Regions to be ignored, and boxes outside the frame, are left out. The model asks for
 * nothing but `objectSize`.
 */
PartitionFigures evaluatePartition(std::span<const Trace> traces, const Partitioner& partitioner,
                                   const PartitionOptions& options, const Watcher& watch = {});

}  // namespace elf::eval
