// SPDX-License-Identifier: LGPL-2.1-or-later
// What the offloader sends through: HTTP requests, timers and a clock, so that tests can put in
// their own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace elf {

struct HttpRequest {
  /** "GET" or "POST". */
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  /** Sent where `method` is "POST". */
  std::vector<std::uint8_t> body;
  /** A reply of more bytes is an error. */
  std::size_t longestReply = std::size_t{16} << 20;
};

struct HttpReply {
  /** The HTTP status; 0 where no whole reply came, and `error` says why. */
  int status = 0;
  std::string error;
  std::vector<std::uint8_t> body;
  /** The header `Inference-Header-Content-Length`; empty without one. */
  std::string jsonLength;
};

/**
 * All functions may be called from any thread, also from inside a callback and with the caller's
 * locks held: callbacks run later, one at a time, in the transport's own thread, with none of its
 * locks held.
 */
class Transport {
 public:
  using Clock = std::chrono::steady_clock;
  /** Names a request or a timer; never 0 and never given twice. */
  using Handle = std::uint64_t;

  virtual ~Transport() = default;

  virtual Clock::time_point now() const = 0;
  /** Calls `done` exactly once, unless cancelled. No time limit of its own. */
  virtual Handle send(HttpRequest request, std::function<void(HttpReply)> done) = 0;
  /** Calls `call` once at `when` or soon after, unless cancelled. */
  virtual Handle at(Clock::time_point when, std::function<void()> call) = 0;
  /**
   * The callback is not called any more, unless it is about to run already. An unknown or finished
   * handle is ignored.
   */
  virtual void cancel(Handle handle) = 0;
};

}  // namespace elf
