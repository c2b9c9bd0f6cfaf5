// SPDX-License-Identifier: LGPL-2.1-or-later
// How long an endpoint has been silent.
#pragma once

#include <chrono>

namespace elf {

/** How long one endpoint has had requests to answer and has answered none. Not thread-safe. */
class Silence {
 public:
  using Clock = std::chrono::steady_clock;

  /** A request is sent. */
  void begin(Clock::time_point now) {
    if (outstanding_++ == 0) since_ = now;
  }
  /** It was answered or given up. That alone does not end the silence. */
  void end(Clock::time_point now) {
    if (--outstanding_ == 0) before_ += now - since_;
  }
  /** The endpoint has answered, or is not to blame: the silence so far does not count. */
  void reset(Clock::time_point now) {
    before_ = {};
    since_ = now;
  }

  /** Requests under way. */
  int outstanding() const { return outstanding_; }
  Clock::duration length(Clock::time_point now) const {
    return outstanding_ == 0 ? before_ : before_ + (now - since_);
  }

 private:
  int outstanding_ = 0;
  Clock::time_point since_{};
  /** Earlier time with requests under way. */
  Clock::duration before_{};
};

}  // namespace elf
