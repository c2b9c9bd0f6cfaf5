// SPDX-License-Identifier: LGPL-2.1-or-later
// The times of a trace's frames.
#pragma once

#include <cstdint>
#include <vector>

#include "elf/base/frame_time.h"
#include "research/data/traces.h"

namespace elf::eval {

/**
 * By time stamps, as in a FrameClock, if all frames have some. Otherwise frame N is at N, with an
 * interval of 1.
 */
class TraceClock {
 public:
  /** `trace` must outlive this object, and must have frames. */
  explicit TraceClock(const Trace& trace);

  /** The time of any number between those of the first and the last frame. One that the trace
   * leaves out is interpolated between its neighbours. */
  FrameTime at(std::int64_t number) const;

 private:
  const Trace& trace_;
  /** The time of each frame. Empty if they have no time stamps. */
  std::vector<FrameTime> times_;
};

}  // namespace elf::eval
