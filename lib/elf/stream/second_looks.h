// SPDX-License-Identifier: LGPL-2.1-or-later
// Objects that only a small crop shows.
#pragma once

#include <cstdint>
#include <map>

#include "elf/types/frame_record.h"

namespace elf {

/**
 * A network is surer of some things the less it sees around them: YOLOX-nano calls a shelf a
 * traffic light of 0.65 in a crop of 256x256 pixels, of 0.34 in one of 450x450, and of 0.2 in the
 * frame. So a detection counts as sure only from when a picture that shows the object with
 * kSurroundings times the model's `context` on each side was sure of it, too. Until then its score
 * stays below the model's `sure-score`. Its RP is widened for such a look in the next frame, and if
 * that is not sure, after 1, 2, 4, up to kLongestPause answered frames again. Not for models
 * without `context`, that are told their parts' place, or of a fixed size. Not thread-safe.
 */
class SecondLooks {
 public:
  static constexpr int kSurroundings = 6;
  static constexpr int kLongestPause = 32;

  /** Widens the RPs that are due. */
  void widen(FrameRecord& record);
  /** Whether the object's RP was widened in that frame. */
  bool asks(Identity id, std::uint64_t frame) const;
  /** Learns from an answered frame with identities, and lowers scores. */
  void judge(FrameRecord& record);
  /** Forgets objects that `isKnown` does not know. */
  template <typename IsKnown>
  void eraseUnknown(IsKnown&& isKnown) {
    std::erase_if(looks_, [&](const auto& look) { return !isKnown(look.first); });
  }
  void forget() { looks_.clear(); }

 private:
  struct Look {
    bool sure = false;
    /** The last detection would be sure if it had its surroundings. */
    bool wanted = false;
    /** Answered frames until the next wide look, and the last value that this was set to. */
    int wait = 0, pause = 0;
    /** The frame whose RP was widened last. */
    std::uint64_t asked = 0;
  };

  std::map<Identity, Look> looks_;
  /** In pixels of the model; 0: the model needs no second looks. */
  int margin_ = 0;
};

}  // namespace elf
