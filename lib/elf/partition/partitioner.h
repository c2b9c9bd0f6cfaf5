// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides which rectangles of a frame are inferred, and by which server.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "elf/base/choice.h"
#include "elf/types/capacity.h"
#include "elf/types/plan.h"

namespace elf {

/** A partitioner's input. References are valid only during the call. */
struct PartitionInput {
  Size frame;
  /** RPs of the frame, each inside it. */
  std::span<const Rp> rps;
  /** At least one server. Those that are not healthy get no part, unless none is healthy. */
  const Capacity& capacity;
  /**
   * Parts with only large objects may be sent scaled down, as far as the model's `objectSize`
   * allows. A part that the server would shrink anyway is always sent shrunk.
   */
  bool scale = true;
  /** As FrameRecord::pixelAspect; that of all parts. */
  double pixelAspect = 1;
  /** Columns and rows of the partitioner `grid`; empty: one cell for each usable server. */
  Size grid;

  /** The size that a rectangle is sent in, unscaled. */
  Size squareSize(const Rect& rect) const { return rect.size().withSquarePixels(pixelAspect); }
};

/**
 * A way to cut. Implementations keep no state between calls: the same input gives the same plan,
 * and several threads may use them at once.
 *
 * In every plan each part is inside the frame and not empty, each part's server is an index into
 * the capacity, and each RP is wholly inside the part that lists it. Parts of a canvas do not
 * overlap there. The makespan is the largest sum of a server's earlier work and the costs of its
 * pictures, over the servers with parts. A picture, one part or a canvas, costs by the pixels that
 * are sent and those that the model makes of them.
 */
class Partitioner {
 public:
  virtual ~Partitioner() = default;
  virtual Plan plan(const PartitionInput& input) const = 0;
  /** False if the plan covers the whole frame anyway, so that neither RPs nor scans matter. */
  virtual bool needsRps() const { return true; }
  /** Pixels that parts in full resolution have around their content, inside the frame. */
  virtual int contextAround(const ModelRules& /*rules*/) const { return 0; }
  /** True if the whole frame may replace a plan that takes longer. */
  virtual bool weighsWholeFrame() const { return false; }

  /** Throws elf::Error naming `partitioner` for a name not in partitionerChoices(). */
  static std::unique_ptr<Partitioner> create(std::string_view name);
};

/** All partitioners. The first is the default. */
std::span<const Choice> partitionerChoices();

/**
 * The whole frame in vertical strips, one for each healthy server. Their widths follow the speed of
 * the server and its link. Neighbours overlap by the area that the model needs around an object at
 * the border. Parts are of kind Full. One server gets the whole frame in one part. A model of a
 * fixed size gets no more strips than frames in flight leave servers for (serversForRuns()).
 */
Plan splitWholeFrame(Size frame, const Capacity& capacity, double pixelAspect = 1);

}  // namespace elf
