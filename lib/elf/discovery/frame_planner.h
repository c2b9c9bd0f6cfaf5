// SPDX-License-Identifier: LGPL-2.1-or-later
// The plan of each frame of a stream: its RPs, and what is looked at to discover new objects.
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
 * - RPs known: parts around them and around the places that Discovery wants looked at, by the
 *   partitioner, which weighs both against each other. A place that is more than a server's share
 *   of the frame, or that the model would have to shrink, is divided. A part that holds no RP is of
 *   kind Scan.
 * - Where that takes longer than the whole frame split over the servers, as in a crowd, it is the
 *   whole frame for partitioners that weigh it, unless a model without a fixed size would shrink
 *   its strips. An RP that a seam cuts is seen in pieces then. A model of a fixed size takes as
 *   long for a crumb as for a strip: a frame with RPs then takes no longer than one run of each
 *   server, but for its LRC.
 * - Every `lrcInterval` usual frames the whole frame, too, scaled by `lrcRatio` (the paper's
 *   low-resolution compensation): for objects larger than a tile, and for models that see small
 *   ones. It goes to `lrcServer`, or else to the server that would be done with it first after its
 *   parts of the same plan.
 * - A partitioner that covers the whole frame anyway is asked for nothing else.
 *
 * Not thread-safe.
 */
class FramePlanner {
 public:
  struct Settings {
    Discovery::Settings discovery;
    /** As PartitionInput::scale. */
    bool scale = true;
    /** Frames; 0: never. */
    int lrcInterval = 0;
    /** Along one side, 0 < lrcRatio <= 1. */
    double lrcRatio = 0.4;
    /** Its URL; empty, or none that is up: the one with the most slack. */
    std::string lrcServer;
  };

  /** `partitioner` is not null. */
  explicit FramePlanner(std::unique_ptr<const Partitioner> partitioner);

  /** From the next frame on. */
  void setSettings(const Settings& settings);

  /** The next frame is a cold start: nothing is known of what was looked at. */
  void forget();

  /**
   * `rps` is unset where they are unknown; each is inside the frame. `picture` may be null: changes
   * are not seen then. `capacity` has at least one server. `passed` is how many usual frames it is
   * later than the one before, >= 1.
   */
  Plan plan(Size frame, const std::optional<std::vector<Rp>>& rps, const Capacity& capacity,
            const ImageView* picture, int passed = 1);

  /** Parts of an earlier frame that got no answer. */
  void missed(std::span<const Rect> rects) { discovery_.missed(rects); }

 private:
  /** Tells discovery what the model asks for. */
  void prepare(const Capacity& capacity);
  Plan planAround(Size frame, const std::vector<Rp>& rps, const Capacity& capacity,
                  const ImageView* picture, int passed);
  Plan lookAtAll(Size frame, Plan whole, const ImageView* picture, int passed);
  void addLrc(Plan& plan, Size frame, const Capacity& capacity) const;

  std::unique_ptr<const Partitioner> partitioner_;
  Settings settings_;
  Discovery discovery_;
  int sinceLrc_ = 0;
};

}  // namespace elf
