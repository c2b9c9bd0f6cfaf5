// SPDX-License-Identifier: LGPL-2.1-or-later
// Identities: matches detections to the objects of earlier frames.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "elf/base/frame_time.h"
#include "elf/predict/indexing.h"
#include "elf/types/detection.h"
#include "elf/types/plan.h"

namespace elf {

/**
 * Gives detections their identities, frame after frame in order, by a rule of RP indexing. Frames
 * with only coasted detections may come before older ones. An object is looked for where its RP
 * expects it, else where it was last seen: RPs end at some time, but the object may come back. A
 * detection without partner is new. An object has the class that it was last seen as. So an object
 * that a detector takes for a car now and for a truck then stays one if the rule allows it. Not
 * thread-safe.
 */
class Tracker {
 public:
  /** Usual frames after which an object is forgotten that was looked for and not seen, in at least
   * kLeastLooks frames. */
  static constexpr int kMemory = 30;
  static constexpr int kLeastLooks = 3;

  /** Most objects that are remembered, besides those of one frame: the ones seen last. */
  static constexpr std::size_t kMostKnown = 4000;

  /** Uses the first of indexerChoices(). */
  Tracker();

  /** Holds from the next frame on. Known objects stay known. `indexer` is not null. */
  void setIndexer(std::unique_ptr<const RpIndexer> indexer);

  /**
   * Sets `id` and `seen` of each detection that is not coasted or kept. Those have both already,
   * and no other detection of this frame can get their id. Ids within a frame differ: if the rule
   * matches two detections to one object, the first of them gets its id and the other one is new.
   * `size` is that of the frame. `rps` are those of the same frame, or empty.
   */
  void track(const FrameTime& when, Size size, std::span<const Rp> rps,
             std::vector<Detection>& detections);

  /** Forgets all objects. Their identities are not reused. */
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
    /** Running time of the first frame in which it was found. */
    std::optional<std::chrono::nanoseconds> first;
  };

  /** Null if it is not known. */
  Known* find(Identity id);

  std::unique_ptr<const RpIndexer> indexer_;
  /** By id, ascending. */
  std::vector<Known> known_;
  Identity next_ = 1;
};

}  // namespace elf
