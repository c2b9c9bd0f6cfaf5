// SPDX-License-Identifier: LGPL-2.1-or-later
// The interface of a clock, timers, a name server and what is announced on the network. Tests
// supply their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "elf/avahi/announced_server.h"

namespace elf {

/**
 * All functions may be called from any thread, also from inside a callback and with the caller's
 * locks held. Callbacks run later, one at a time, in the loop's own thread, with none of its locks
 * held.
 */
class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  /** Names a timer, a look-up, a browser or a request. Never 0 and never reused. */
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
   * Calls `changed` with the servers that announce themselves on the local network: first when
   * those of the moment are known, or cannot be known, then after each change, until cancelled.
   */
  virtual Handle browse(std::function<void(Announced)> changed) = 0;
  /**
   * The callback is not called any more, unless it is about to run already. An unknown or finished
   * handle is ignored.
   */
  virtual void cancel(Handle handle) = 0;
};

}  // namespace elf
