// SPDX-License-Identifier: LGPL-2.1-or-later
// The interface of HTTP requests. Tests supply their own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/blocks.h"
#include "elf/client/event_loop.h"

namespace elf {

/** Longest answer to a part, in bytes. Thousands of boxes take a hundredth of it. */
inline constexpr std::size_t kLongestReply = std::size_t{16} << 20;

struct HttpRequest {
  /** "GET" or "POST". */
  std::string method = "GET";
  std::string url;
  /**
   * If the host in `url` is an address, the name that it was looked up by, for the header `Host`
   * and the server's certificate; empty: none.
   */
  std::string host = {};
  std::vector<std::pair<std::string, std::string>> headers;
  /** Sent if `method` is "POST", as content of that type; not copied. */
  Blocks body;
  std::string contentType = "application/octet-stream";
  /** A reply of more bytes is an error. */
  std::size_t longestReply = kLongestReply;
};

struct HttpReply {
  /** The HTTP status; 0 if no whole reply arrived, and `error` says why. */
  int status = 0;
  std::string error;
  std::vector<std::uint8_t> body;
  /** The header `Inference-Header-Content-Length`; empty without one. */
  std::string jsonLength;
  /** The time that the header `Retry-After` names; 0 without it. */
  std::chrono::seconds retryAfter{0};
};

/** An event loop that sends HTTP requests. */
class Transport : public EventLoop {
 public:
  /** Calls `done` exactly once, unless cancelled. Has no time limit of its own. */
  virtual Handle send(HttpRequest request, std::function<void(HttpReply)> done) = 0;
};

}  // namespace elf
