// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts the frames of a client: their outcomes, their delays, and the age of their boxes. Not
// installed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "elf/base/mutex.h"
#include "elf/types/frame_record.h"

namespace elf {

/** The answers that a frame went on with. */
enum class FrameOutcome {
  Inferred,    ///< every part of its plan was answered in time
  Partial,     ///< some parts were
  Unanswered,  ///< none was; its boxes are coasted
  Skipped      ///< nothing was sent on purpose; its boxes are coasted
};
inline constexpr std::size_t kFrameOutcomes = 4;

FrameOutcome outcomeOf(const FrameRecord& record);

/** A histogram of durations. */
struct DurationCounts {
  /** Upper bounds in seconds. A bound belongs to its bucket. */
  static constexpr std::array<double, 11> kBounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                  0.5,   1,    2.5,   5,    10};

  /** One for each bound, and one for longer durations. */
  std::array<std::uint64_t, kBounds.size() + 1> counts{};
  /** Their sum. */
  double seconds = 0;

  void add(double duration);
};

/** All functions may be called from any thread. */
class FrameTally {
 public:
  struct Counts {
    /** By FrameOutcome. */
    std::array<std::uint64_t, kFrameOutcomes> frames{};
    /** From capture or entry until the frame went on. */
    DurationCounts delay;
    /** From the frame that the boxes are based on to the frame that shows them; 0 for an inferred
     * frame. Without time stamps, and before the first answer, a frame is not counted. */
    DurationCounts age;

    std::uint64_t of(FrameOutcome outcome) const {
      return frames[static_cast<std::size_t>(outcome)];
    }
  };

  /** Counts an answered frame that goes on. `delay` is the time since its capture or entry. */
  void add(const FrameRecord& record, std::chrono::nanoseconds delay);
  Counts counts() const;
  /** Sets all counts to 0. */
  void reset();

 private:
  mutable Mutex mutex_;
  Counts counts_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
