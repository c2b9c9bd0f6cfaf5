// SPDX-License-Identifier: LGPL-2.1-or-later
// An elf-server process of one's own, for as long as the object lives.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace elf {

struct LocalServerOptions {
  /** The program; empty: `elf-server` beside the running program, else in PATH. */
  std::string program;
  /** What it is given besides `--port 0`. */
  std::vector<std::string> arguments;
  /** The only CPU core that it may run on; unset: all of them. */
  std::optional<int> core;
  /** How long it may take until it listens. */
  std::chrono::milliseconds patience{20000};
};

/**
 * Not thread-safe. The server dies with the thread that made the object, at the latest with this
 * process, also where that is killed.
 */
class LocalServer {
 public:
  /**
   * Starts the server and waits until it listens. Throws elf::Error naming the program where it
   * cannot be started, ends at once, or does not listen in time. What it writes to standard error
   * goes to this process's.
   */
  explicit LocalServer(const LocalServerOptions& options);
  /** Asks it to end, and makes it end where it has not done so after a few seconds. */
  ~LocalServer();
  LocalServer(LocalServer&& other) noexcept;
  LocalServer& operator=(LocalServer&&) = delete;

  const std::string& url() const { return url_; }
  pid_t pid() const { return pid_; }

 private:
  std::string awaitUrl(int output, const std::string& program, std::chrono::milliseconds patience);
  void end();

  pid_t pid_ = 0;
  std::string url_;
};

}  // namespace elf
