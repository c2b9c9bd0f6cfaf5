// SPDX-License-Identifier: LGPL-2.1-or-later
// A clock, timers and a name server, so that tests can put in their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace elf {

/**
 * All functions may be called from any thread, also from inside a callback and with the caller's
 * locks held: callbacks run later, one at a time, in the loop's own thread, with none of its locks
 * held.
 */
class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  /** Names a timer, a look-up or a request; never 0 and never given twice. */
  using Handle = std::uint64_t;

  virtual ~EventLoop() = default;

  virtual Clock::time_point now() const = 0;
  /** Calls `call` once at `when` or soon after, unless cancelled. */
  virtual Handle at(Clock::time_point when, std::function<void()> call) = 0;
  /**
   * Calls `done` exactly once with the IPv4 and IPv6 addresses of a host name, in no order, unless
   * cancelled; with none where it can't be looked up.
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
