// SPDX-License-Identifier: LGPL-2.1-or-later
// An elf-server process that lives as long as the object.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace elf {

struct LocalServerOptions {
  /** The program. Empty: `elf-server` beside the running program, else in PATH. */
  std::string program;
  /** Its arguments besides `--port 0`. */
  std::vector<std::string> arguments;
  /** The only CPU core that it may use. Unset: all cores. */
  std::optional<int> core;
  /** The time limit until it listens. */
  std::chrono::milliseconds patience{20000};
};

/**
 * Not thread-safe. The server dies with the thread that made the object, at the latest with this
 * process, even if that is killed.
 */
class LocalServer {
 public:
  /**
   * Starts the server and waits until it listens. Throws elf::Error naming the program if it cannot
   * be started, ends at once, or does not listen in time. Its standard error is this process's.
   */
  explicit LocalServer(const LocalServerOptions& options);
  /** Asks it to end, and kills it if it has not ended after a few seconds. */
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
