// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/eval/trace_clock.h"

#include <algorithm>
#include <cmath>

#include "elf/predict/frame_clock.h"

namespace elf::eval {

TraceClock::TraceClock(const Trace& trace) : trace_(trace) {
  if (!std::ranges::all_of(trace.frames, &std::optional<std::chrono::nanoseconds>::has_value,
                           &TraceFrame::stamp))
    return;
  FrameClock clock;
  for (const TraceFrame& frame : trace.frames) times_.push_back(clock.next(frame.stamp));
}

FrameTime TraceClock::at(std::int64_t number) const {
  if (times_.empty()) return {.at = static_cast<double>(number)};
  const auto next = std::ranges::lower_bound(trace_.frames, number, {}, &TraceFrame::number);
  const auto index = static_cast<std::size_t>(next - trace_.frames.begin());
  if (next->number == number) return times_[index];
  const std::int64_t before = trace_.frames[index - 1].number;
  const double share =
      static_cast<double>(number - before) / static_cast<double>(next->number - before);
  return {.at = std::lerp(times_[index - 1].at, times_[index].at, share),
          .interval = times_[index - 1].interval};
}

}  // namespace elf::eval
