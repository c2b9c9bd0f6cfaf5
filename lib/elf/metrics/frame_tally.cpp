// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/metrics/frame_tally.h"

#include <algorithm>
#include <optional>

#include "elf/base/seconds.h"

namespace elf {

namespace {

std::optional<std::chrono::nanoseconds> ageOf(const FrameRecord& record) {
  if (record.inferred) return std::chrono::nanoseconds(0);
  return record.horizon > 0 ? record.horizonTime : std::nullopt;
}

}  // namespace

FrameOutcome outcomeOf(const FrameRecord& record) {
  if (record.skipped) return FrameOutcome::Skipped;
  if (record.inferred) return FrameOutcome::Inferred;
  return std::ranges::find(record.answers, AnswerState::Answered, &PartAnswer::state) ==
                 record.answers.end()
             ? FrameOutcome::Unanswered
             : FrameOutcome::Partial;
}

void DurationCounts::add(double duration) {
  const auto bound = std::ranges::lower_bound(kBounds, duration);
  ++counts[static_cast<std::size_t>(bound - kBounds.begin())];
  seconds += duration;
}

void FrameTally::add(const FrameRecord& record, std::chrono::nanoseconds delay) {
  const auto age = ageOf(record);
  const MutexLock lock(mutex_);
  ++counts_.frames[static_cast<std::size_t>(outcomeOf(record))];
  counts_.delay.add(secondsOf(delay));
  if (age) counts_.age.add(secondsOf(*age));
}

FrameTally::Counts FrameTally::counts() const {
  const MutexLock lock(mutex_);
  return counts_;
}

void FrameTally::reset() {
  const MutexLock lock(mutex_);
  counts_ = {};
}

}  // namespace elf
