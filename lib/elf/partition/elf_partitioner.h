// SPDX-License-Identifier: LGPL-2.1-or-later
// The partitioner `elf`. Not installed: Partitioner::create() makes it.
#pragma once

#include "elf/partition/partitioner.h"

namespace elf {

/**
 * Finds the smallest makespan on servers of different speed, and among equal ones the fewest pixels
 * sent: which RPs share a part, and which server gets it. Each RP is in one part.
 *
 * A part is the rectangle around its RPs, shaped by cutFor(), and sent at sentScale(). If it is
 * larger than the model's `fixedSize` or `maxSize` it is shrunk until it fits. If that is below the
 * leastScale() of one of its RPs, they must not share a part.
 *
 * RPs inside others stay with them. Of more than 128, those in one cell of a grid stay together.
 * Then, all deterministic:
 *
 * 1. Agglomerative merging: unites the two parts whose union wastes least, as long as some server
 *    infers the union sooner than both. Spreads the parts of each step over the servers, the
 * largest first, each to the server that finishes it first (Graham, "Bounds on Multiprocessing
 * Timing Anomalies", SIAM J. Appl. Math. 1969).
 * 2. At eight parts or fewer, the best of all ways to merge and place them, by dynamic programming
 *    over subsets. So for eight RPs or fewer the makespan is the smallest possible.
 * 3. Local search from the best of these: a part or an RP of the server that finishes last moves to
 *    another one, or parts change places. When that gains nothing any more, 1 and 2 plan anew for
 *    this server and one other. The number of tried parts is bounded.
 * 4. RPs of the other servers change their part if that saves pixels.
 *
 * 5. If canvases are sooner inferred, the plan has those instead: joinedInCanvases() in
 *    elf/partition/canvases.h.
 *
 * A model of a fixed size always gets canvases: planCanvases().
 */
class ElfPartitioner final : public Partitioner {
 public:
  Plan plan(const PartitionInput& input) const override;
  int contextAround(const ModelRules& rules) const override { return rules.context; }
  bool weighsWholeFrame() const override { return true; }
};

}  // namespace elf
