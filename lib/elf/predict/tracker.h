// SPDX-License-Identifier: LGPL-2.1-or-later
// Identities: which detection is which object of the frames before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "elf/base/frame_time.h"
#include "elf/predict/indexing.h"
#include "elf/types/detection.h"
#include "elf/types/plan.h"

namespace elf {

/**
 * Gives detections their identities, frame after frame in order, by a rule of RP indexing; frames
 * that hold nothing but coasted ones may come before older ones. An object is looked for where its
 * RP says it is expected, or else where it was last seen: an RP is not made for ever, but its
 * object may come back. What finds no partner is new. An object has the class that it was last seen
 * as, so one that a detector takes for a car now and for a truck then stays one object where the
 * rule allows it. Not thread-safe.
 */
class Tracker {
 public:
  /** Usual frames after which an object is forgotten that was looked for and not seen, in at least
   * kLeastLooks frames. */
  static constexpr int kMemory = 30;
  static constexpr int kLeastLooks = 3;

  /** So many objects are remembered, and those of one frame more: of more, those seen last. */
  static constexpr std::size_t kMostKnown = 4000;

  /** Takes the first of indexerChoices(). */
  Tracker();

  /** From the next frame on; what is known stays known. `indexer` is not null. */
  void setIndexer(std::unique_ptr<const RpIndexer> indexer);

  /**
   * Sets `id` of each detection that is not coasted; a coasted one comes with its id, which nobody
   * else in this frame can be. Ids within a frame differ: where the rule takes two detections for
   * one object, the first of them is it and the other one is new. `size` is that of the frame,
   * `rps` are those of the same frame, empty where there are none.
   */
  void track(const FrameTime& when, Size size, std::span<const Rp> rps,
             std::vector<Detection>& detections);

  /** Forgets all objects; identities already given are not given again. */
  void forget() { known_.clear(); }

 private:
  struct Known {
    Identity id = kNoIdentity;
    /** As last seen. */
    LabelledBox last;
    /** When it was last seen, or not looked for. */
    double seen = 0;
    /** Frames since then. */
    int looks = 0;
  };

  /** Null where nobody of that name is known. */
  Known* find(Identity id);

  std::unique_ptr<const RpIndexer> indexer_;
  /** By id, ascending. */
  std::vector<Known> known_;
  Identity next_ = 1;
};

}  // namespace elf
