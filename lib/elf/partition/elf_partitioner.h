// SPDX-License-Identifier: LGPL-2.1-or-later
// The partitioner `elf`. Not installed: made by Partitioner::create().
#pragma once

#include "elf/partition/partitioner.h"

namespace elf {

/**
 * Starts with one part for each RP and merges two parts into the rectangle around both as long as
 * that costs less than both apart. Of all plans on that way, parts spread over the servers longest
 * first, the one with the smallest makespan is taken; among equals, the one that sends less. More
 * than 128 RPs are first gathered by where they are, so that a crowd costs no more time.
 */
class ElfPartitioner final : public Partitioner {
 public:
  Plan plan(const PartitionInput& input) const override;
};

}  // namespace elf
