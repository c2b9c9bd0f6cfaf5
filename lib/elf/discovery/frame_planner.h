// SPDX-License-Identifier: LGPL-2.1-or-later
// Plans each frame of a stream: its RPs, and places to infer for new objects.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elf/discovery/discovery.h"
#include "elf/partition/partitioner.h"

namespace elf {

/**
 * Plans frame after frame:
 *
 * - RPs unknown (cold start): the whole frame, split over the servers.
 * - RPs known: parts around them and around the places from Discovery. The partitioner weighs both
 *   against each other. A place that is more than a server's share of the frame, or that the model
 *   would have to shrink, is divided. A part without an RP is of kind Scan.
 * - If that takes longer, or more pixels, than the whole frame split over the servers, as in a
 *   crowd, the plan is the whole frame. This holds for partitioners that weigh it, unless a model
 * without a fixed size would shrink its strips. An RP on a seam is then detected in pieces. For a
 * model of a fixed size, whose canvases never take longer, it is the whole frame if that shows no
 * part smaller.
 * - Every `lrcInterval` usual frames also the whole frame, scaled by `lrcRatio` (the paper's
 *   low-resolution compensation): for objects larger than a tile, and for models that detect small
 *   ones. It is sent to `lrcServer`, or else to the server that would finish it first after its
 *   parts of the same plan.
 * - A partitioner that covers the whole frame anyway plans alone.
 *
 * Not thread-safe.
 */
class FramePlanner {
 public:
  struct Settings {
    Discovery::Settings discovery;
    /** As PartitionInput::scale. */
    bool scale = true;
    /** As PartitionInput::grid. */
    Size grid;
    /** Frames. 0: never. */
    int lrcInterval = 0;
    /** Along one side, 0 < lrcRatio <= 1. */
    double lrcRatio = 0.4;
    /** Its URL. Empty, or not a server that is up: the one with the most slack. */
    std::string lrcServer;
  };

  /** `partitioner` must not be null. */
  explicit FramePlanner(std::unique_ptr<const Partitioner> partitioner);

  /** Applies from the next frame on. */
  void setSettings(const Settings& settings);

  /** Makes the next frame a cold start, and forgets what was inferred. */
  void forget();

  /**
   * `rps` is unset if they are unknown. Each is inside the frame. Parts are not made for those that
   * are `kept`, but list those that they show as large as they are. `picture` may be null: then
   * changes are not seen. `capacity` has at least one server. `passed` is the number of usual
   * frames since the previous frame, >= 1. `pixelAspect` is that of the record.
   */
  Plan plan(Size frame, const std::optional<std::vector<Rp>>& rps, const Capacity& capacity,
            const ImageView* picture, int passed = 1, double pixelAspect = 1);

  /** Notes parts of an earlier frame that got no answer. */
  void missed(std::span<const Rect> rects) { discovery_.missed(rects); }

 private:
  /** Gives discovery the model's needs. `whole` is the whole frame, split over the servers. */
  void prepare(const Plan& whole, const Capacity& capacity);
  Plan planAround(Size frame, const std::vector<Rp>& rps, Plan whole, const Capacity& capacity,
                  const ImageView* picture, int passed, double pixelAspect);
  Plan lookAtAll(Size frame, Plan whole, const ImageView* picture, int passed);
  void addLrc(Plan& plan, Size frame, const Capacity& capacity, double pixelAspect) const;

  std::unique_ptr<const Partitioner> partitioner_;
  Settings settings_;
  Discovery discovery_;
  int sinceLrc_ = 0;
};

}  // namespace elf
