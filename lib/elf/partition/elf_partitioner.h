// SPDX-License-Identifier: LGPL-2.1-or-later
// The partitioner `elf`. Not installed: made by Partitioner::create().
#pragma once

#include "elf/partition/partitioner.h"

namespace elf {

/**
 * Looks for the smallest makespan on servers of different speed, and among equal ones for the
 * fewest pixels sent: which RPs share a part, and which server gets it. Each RP is in one part.
 *
 * A part is the rectangle around its RPs, shaped by cutFor(), and sent at sentScale(). Where it is
 * larger than the model's `fixedSize` or `maxSize` it is shrunk until it fits; if that is below the
 * leastScale() of one of its RPs, they may not share a part.
 *
 * RPs inside others go along with them; of more than 128, those in one cell of a grid stay
 * together. Then, all deterministic:
 *
 * 1. Agglomerative merging: two parts at a time, those whose union wastes least, while some server
 *    does the union sooner than both. The parts of each stage are spread over the servers, the
 *    largest first, each to where it is done first (Graham, "Bounds on Multiprocessing Timing
 *    Anomalies", SIAM J. Appl. Math. 1969).
 * 2. At eight parts or fewer, the best of all ways to merge and place them, by dynamic programming
 *    over subsets. So for eight RPs or fewer the makespan is the smallest there is.
 * 3. Local search from the best of these: a part or an RP of the server that is done last goes
 *    elsewhere, or parts change places; where that gains nothing any more, 1 and 2 plan anew what
 *    this server and one other do. The number of parts that are tried is bounded.
 * 4. RPs of the other servers change their part where that saves pixels.
 */
class ElfPartitioner final : public Partitioner {
 public:
  Plan plan(const PartitionInput& input) const override;
  int contextAround(const ModelRules& rules) const override { return rules.context; }
  bool weighsWholeFrame() const override { return true; }
};

}  // namespace elf
