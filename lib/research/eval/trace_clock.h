// SPDX-License-Identifier: LGPL-2.1-or-later
// When the frames of a trace were.
#pragma once

#include <cstdint>
#include <vector>

#include "elf/base/frame_time.h"
#include "research/data/traces.h"

namespace elf::eval {

/**
 * By their time stamps, as a FrameClock has them, where all frames have some; else frame N is at N,
 * with an interval of 1.
 */
class TraceClock {
 public:
  /** `trace` must outlive this object, and has frames. */
  explicit TraceClock(const Trace& trace);

  /** Of any number between those of the first and the last frame. One that the trace leaves out is
   * on the line between its neighbours. */
  FrameTime at(std::int64_t number) const;

 private:
  const Trace& trace_;
  /** Of each frame; empty where they have no time stamps. */
  std::vector<FrameTime> times_;
};

}  // namespace elf::eval
