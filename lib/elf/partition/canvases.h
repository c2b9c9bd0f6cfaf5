// SPDX-License-Identifier: LGPL-2.1-or-later
// Plans whose parts share pictures: regions of the frame, packed into canvases. Not installed.
#pragma once

#include "elf/partition/partitioner.h"

namespace elf {

/** Grey pixels between two parts of a canvas. What the model sees across them is not an object. */
inline constexpr int kCanvasGap = 8;

/** Whether all parts of this model are sent in canvases: each run costs the same. */
inline bool takesCanvases(const ModelRules& rules) {
  return !rules.fixedSize.empty() && !rules.placed;
}

/**
 * The canvases of one frame that may be sent at the same time, and the servers for them, those that
 * finish first first: no more than whole frames would take, and none on a server that would need
 * half as long again as the first. At least one.
 */
std::vector<int> serversForRuns(const Capacity& capacity);

/**
 * A plan for a model of a fixed size, whose run takes as long for one object as for a full picture.
 * RPs whose common rectangle is no larger than theirs together share a part. The parts are packed
 * into as few canvases of the model's size as show each object in the resolution that it needs:
 * that of the frame, or the least that `objectSize` allows if PartitionInput::scale is set. Then
 * all parts are made larger, up to the frame's own resolution, as far as the canvases have room. If
 * they do not fit into one canvas for each of serversForRuns(), all parts are made smaller; at a
 * fifth of the resolution that they need, one part in one canvas holds all RPs.
 */
Plan planCanvases(const PartitionInput& input);

/**
 * The better one of `plan` and of a plan with one canvas for each of its servers, for a model whose
 * time grows with the pixels: no pixels between RPs, and neither `min-size` nor a request for each.
 * The regions of planCanvases() go one after the other, the largest first, to the server that
 * finishes first. A server with one region gets it as an ordinary part. Parts begin at multiples of
 * `align` in their canvas, too.
 */
Plan joinedInCanvases(Plan plan, const PartitionInput& input);

}  // namespace elf
