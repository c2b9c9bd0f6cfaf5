// SPDX-License-Identifier: LGPL-2.1-or-later
// What a detector with flaws makes of the truth.
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
 * in the same frames, whatever is made of them. Numbers are drawn for each object in turn, ignored
 * ones left out: one decides on whether it is missed, two pairs on the errors of its left and top
 * and of its right and bottom side. They are drawn even if they are not needed.
 */
class FlawedDetector {
 public:
  /**
   * `miss` is the share of objects, 0..1, that are not found, `jitter` the standard deviation of
   * each side's error in pixels.
   */
  FlawedDetector(double miss, double jitter, std::uint64_t seed)
      : miss_(miss), jitter_(jitter), random_(seed) {}

  /**
   * One for each object of the frame, in its order: where it is found, with score 1; unset where it
   * is missed or to be ignored. A box whose sides cross is turned; then it is clipped, and if
   * nothing is left, it is not found.
   */
  std::vector<std::optional<Detection>> look(const TraceFrame& frame);

 private:
  double miss_;
  double jitter_;
  Random random_;
};

}  // namespace elf::eval
