// SPDX-License-Identifier: LGPL-2.1-or-later
// HTTP requests by libsoup, in a thread of their own.
#pragma once

#include <memory>
#include <string>

#include "elf/client/client_security.h"
#include "elf/client/transport.h"

namespace elf {

/**
 * SoupSessions with keep-alive in their own thread and main context, without proxies, cookies,
 * redirects or content encodings. Each HttpRequest::host has a session of its own, so that a
 * connection serves only the name whose certificate was checked. A request that meets a kept-alive
 * connection which the server has closed meanwhile is sent again at once. A reply larger than the
 * request allows is cut off and becomes an error, as do headers of more than 64 KiB.
 *
 * The certificate of an https:// server is checked against the authorities of ClientSecurity, or
 * the system's. If it fails, the error states what is wrong with it. The token is sent to the URLs
 * that are asked, and nowhere else.
 */
class SoupTransport : public Transport {
 public:
  /** Parallel requests to one server; libsoup's own bound of 2 would queue the parts of a frame. */
  static constexpr int kMaxConnectionsPerHost = 256;

  /**
   * `threadName` has at most 15 characters. Reads the files of `security`, and throws elf::Error
   * naming property and file if one can't be used.
   */
  explicit SoupTransport(const std::string& threadName, const ClientSecurity& security = {});
  /** Calls stop(). */
  ~SoupTransport() override;

  Clock::time_point now() const override { return Clock::now(); }
  Handle send(HttpRequest request, std::function<void(HttpReply)> done) override;
  Handle lookUp(const std::string& host,
                std::function<void(std::vector<std::string>)> done) override;
  Handle browse(std::function<void(Announced)> changed) override;
  Handle at(Clock::time_point when, std::function<void()> call) override;
  void cancel(Handle handle) override;

  /**
   * Cancels all requests, browsers and timers, waits until every callback has returned, and ends
   * the thread. Calls after it are ignored. Not from inside a callback.
   */
  void stop();

 private:
  struct Private;
  std::unique_ptr<Private> p_;
};

}  // namespace elf
