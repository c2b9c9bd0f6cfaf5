// SPDX-License-Identifier: LGPL-2.1-or-later
// The results of a detector with flaws.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "elf/base/random.h"
#include "elf/types/detection.h"
#include "research/data/traces.h"

namespace elf::eval {

/**
 * Misses objects at random and shakes the boxes of the others. The same seed makes the same flaws
 * in the same frames, however they are used. Numbers are drawn for each object in turn, without
 * ignored ones: one decides whether it is missed, two pairs give the errors of its left and top and
 * of its right and bottom side. They are drawn even if they are not needed.
 */
class FlawedDetector {
 public:
  /**
   * `miss` is the share of missed objects, 0..1. `jitter` is the standard deviation of each side's
   * error in pixels.
   */
  FlawedDetector(double miss, double jitter, std::uint64_t seed)
      : miss_(miss), jitter_(jitter), random_(seed) {}

  /**
   * One entry for each object of the frame, in order: its detection with score 1, or unset if it is
   * missed or ignored. A box whose sides cross is turned, then clipped. If nothing is left, it is
   * missed.
   */
  std::vector<std::optional<Detection>> look(const TraceFrame& frame);

 private:
  double miss_;
  double jitter_;
  Random random_;
};

}  // namespace elf::eval
