// SPDX-License-Identifier: LGPL-2.1-or-later
// The interface of a clock, timers and a name server. Tests supply their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace elf {

/**
 * All functions may be called from any thread, also from inside a callback and with the caller's
 * locks held. Callbacks run later, one at a time, in the loop's own thread, with none of its locks
 * held.
 */
class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  /** Names a timer, a look-up or a request. Never 0 and never reused. */
  using Handle = std::uint64_t;

  virtual ~EventLoop() = default;

  virtual Clock::time_point now() const = 0;
  /** Calls `call` once at `when` or soon after, unless cancelled. */
  virtual Handle at(Clock::time_point when, std::function<void()> call) = 0;
  /**
   * Calls `done` exactly once with the IPv4 and IPv6 addresses of a host name, in any order, unless
   * cancelled. The list is empty if the look-up fails.
   */
  virtual Handle lookUp(const std::string& host,
                        std::function<void(std::vector<std::string>)> done) = 0;
  /**
   * The callback is not called any more, unless it is about to run already. An unknown or finished
   * handle is ignored.
   */
  virtual void cancel(Handle handle) = 0;
};

}  // namespace elf
