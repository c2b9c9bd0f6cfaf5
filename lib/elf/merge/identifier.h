// SPDX-License-Identifier: LGPL-2.1-or-later
// RP indexing: which detection is which object of the frames before.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "elf/partition/plan.h"
#include "elf/record/detection.h"

namespace elf {

/**
 * Gives detections their identities, frame after frame in order. An object is looked for where its
 * RP says it is expected, or else where it was last seen. Pairs of one class are taken greedily
 * and one-to-one, closest first by intersection over union. What finds no partner is new.
 * Not thread-safe.
 */
class Identifier {
 public:
  /** Frames after which an unseen object is forgotten. */
  static constexpr std::uint64_t kMemory = 30;
  /** Pairs below this intersection over union are different objects. */
  static constexpr double kMinIou = 0.2;

  /** Sets `id` of each detection; `rps` are those of the same frame, empty where there are none. */
  void identify(std::uint64_t frame, std::span<const Rp> rps, std::vector<Detection>& detections);
  /** Forgets all objects; identities already given are not given again. */
  void forget() { known_.clear(); }

 private:
  struct Known {
    Box box;
    std::int64_t labelId = 0;
    std::uint64_t seen = 0;
  };
  std::map<Identity, Known> known_;
  Identity next_ = 1;
};

}  // namespace elf
