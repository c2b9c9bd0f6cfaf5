// SPDX-License-Identifier: LGPL-2.1-or-later
// What elf-launch counts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "elf/base/mutex.h"
#include "elf/types/frame_record.h"

namespace elf::program {

/** Statistics of the frames. Streaming threads write them and the main thread reads them. */
class FrameStatistics {
 public:
  /** `record` is null if the frame carries none. */
  void add(const FrameRecordPtr& record) {
    const MutexLock lock(mutex_);
    ++frames_;
    if (!record) return;
    const double latencyMs = static_cast<double>(record->timings.total.count()) / 1000;
    ++measured_;
    sumMs_ += latencyMs;
    maxMs_ = std::max(maxMs_, latencyMs);
    lastMs_ = latencyMs;
    parts_ += record->answers.size();
    for (const PartAnswer& answer : record->answers)
      if (answer.state == AnswerState::Answered)
        answered_ = true;
      else if (answer.state == AnswerState::Failed)
        failed_ = true;
  }

  /** The error if parts were sent to servers and none was answered. Otherwise empty. */
  std::string unanswered() const {
    const MutexLock lock(mutex_);
    if (parts_ == 0 || answered_) return {};
    return "no part of " + std::to_string(frames_) + " frames was answered by a server" +
           (failed_ ? "" : " in time");
  }

  struct Snapshot {
    std::uint64_t frames = 0;
    /** Milliseconds. Unset if no frame carried a record. */
    std::optional<double> last, mean, max;
  };

  Snapshot snapshot() const {
    const MutexLock lock(mutex_);
    if (measured_ == 0) return {frames_, {}, {}, {}};
    return {frames_, lastMs_, sumMs_ / static_cast<double>(measured_), maxMs_};
  }

 private:
  mutable Mutex mutex_;
  std::uint64_t frames_ ELF_GUARDED_BY(mutex_) = 0;
  std::uint64_t measured_ ELF_GUARDED_BY(mutex_) = 0;
  double sumMs_ ELF_GUARDED_BY(mutex_) = 0;
  double maxMs_ ELF_GUARDED_BY(mutex_) = 0;
  std::optional<double> lastMs_ ELF_GUARDED_BY(mutex_);
  std::uint64_t parts_ ELF_GUARDED_BY(mutex_) = 0;
  /** Whether any part was. A part that is neither was late. */
  bool answered_ ELF_GUARDED_BY(mutex_) = false, failed_ ELF_GUARDED_BY(mutex_) = false;
};

}  // namespace elf::program
