// SPDX-License-Identifier: LGPL-2.1-or-later
// Which rectangles of a frame are inferred, and by which server.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "elf/base/choice.h"
#include "elf/types/capacity.h"
#include "elf/types/plan.h"

namespace elf {

/** What a partitioner starts from. References stay valid only during the call. */
struct PartitionInput {
  Size frame;
  /** RPs of the frame, each inside it. */
  std::span<const Rp> rps;
  /** At least one server; those that are not healthy get no part unless none is. */
  const Capacity& capacity;
  /**
   * Parts whose objects are all large may be sent scaled down, as far as the model's `objectSize`
   * allows. What the server would shrink in any case is sent shrunk in any case.
   */
  bool scale = true;
};

/**
 * A way to cut. Implementations keep no state between calls, so that the same input gives the same
 * plan, and may be used from several threads at once.
 *
 * Every plan holds: each part is inside the frame and not empty, each part's server is an index
 * into the capacity, each RP is wholly inside the part that lists it, and makespan is the largest
 * sum of what one server has to do already and of the costs of its parts, over those with parts. A
 * part's cost is that of the pixels that are sent and that the model makes of them.
 */
class Partitioner {
 public:
  virtual ~Partitioner() = default;
  virtual Plan plan(const PartitionInput& input) const = 0;
  /** False where the plan covers the whole frame anyway, so that neither RPs nor scans matter. */
  virtual bool needsRps() const { return true; }
  /** Pixels that parts in full resolution have around what they hold, inside the frame. */
  virtual int contextAround(const ModelRules& /*rules*/) const { return 0; }
  /** True where the whole frame may take the place of a plan that takes longer. */
  virtual bool weighsWholeFrame() const { return false; }

  /** Throws elf::Error naming `partitioner` for a name not in partitionerChoices(). */
  static std::unique_ptr<Partitioner> create(std::string_view name);
};

/** The partitioners there are; the first is the default. */
std::span<const Choice> partitionerChoices();

/**
 * The whole frame in vertical strips, one for each healthy server, as wide as the server and the
 * link to it are fast. Neighbours overlap by what the model needs to see of an object at the
 * border. Parts are of kind Full; with one server it is the whole frame in one part.
 */
Plan splitWholeFrame(Size frame, const Capacity& capacity);

}  // namespace elf
