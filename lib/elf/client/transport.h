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

#include "elf/base/blocks.h"

namespace elf {

/** Of an answer to a part, in bytes; boxes by the thousand take a hundredth of it. */
inline constexpr std::size_t kLongestReply = std::size_t{16} << 20;

struct HttpRequest {
  /** "GET" or "POST". */
  std::string method = "GET";
  std::string url;
  /**
   * Where the host in `url` is an address: the name that it stands for, in the header `Host` and in
   * the server's certificate; empty: none.
   */
  std::string host = {};
  std::vector<std::pair<std::string, std::string>> headers;
  /** Sent where `method` is "POST", as content of that type; not copied. */
  Blocks body;
  std::string contentType = "application/octet-stream";
  /** A reply of more bytes is an error. */
  std::size_t longestReply = kLongestReply;
};

struct HttpReply {
  /** The HTTP status; 0 where no whole reply came, and `error` says why. */
  int status = 0;
  std::string error;
  std::vector<std::uint8_t> body;
  /** The header `Inference-Header-Content-Length`; empty without one. */
  std::string jsonLength;
  /** The header `Retry-After`, where it is a number of seconds. */
  std::chrono::seconds retryAfter{0};
};

/**
 * All functions may be called from any thread, also from inside a callback and with the caller's
 * locks held: callbacks run later, one at a time, in the transport's own thread, with none of its
 * locks held.
 */
class Transport {
 public:
  using Clock = std::chrono::steady_clock;
  /** Names a request, a look-up or a timer; never 0 and never given twice. */
  using Handle = std::uint64_t;

  virtual ~Transport() = default;

  virtual Clock::time_point now() const = 0;
  /** Calls `done` exactly once, unless cancelled. No time limit of its own. */
  virtual Handle send(HttpRequest request, std::function<void(HttpReply)> done) = 0;
  /**
   * Calls `done` exactly once with the IPv4 and IPv6 addresses of a host name, in no order, unless
   * cancelled; with none where it can't be looked up.
   */
  virtual Handle lookUp(const std::string& host,
                        std::function<void(std::vector<std::string>)> done) = 0;
  /** Calls `call` once at `when` or soon after, unless cancelled. */
  virtual Handle at(Clock::time_point when, std::function<void()> call) = 0;
  /**
   * The callback is not called any more, unless it is about to run already. An unknown or finished
   * handle is ignored.
   */
  virtual void cancel(Handle handle) = 0;
};

}  // namespace elf
