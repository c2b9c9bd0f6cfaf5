// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/local_server.h"

#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/glib.h"

namespace elf {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kListening = "listening ";
constexpr std::chrono::seconds kEndPatience{8};

std::string findProgram() {
  std::error_code ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path beside = self.parent_path() / "elf-server";
  if (!self.empty() && access(beside.c_str(), X_OK) == 0) return beside;
  std::string program = takeText(g_find_program_in_path("elf-server"));
  if (program.empty()) throw Error("elf-server", "is neither beside this program nor in PATH");
  return program;
}

struct ChildSetup {
  pid_t parent;
  int core;
};

/** Runs between fork and exec: async-signal-safe calls only. */
void setUpChild(gpointer data) {
  const auto* setup = static_cast<const ChildSetup*>(data);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have ended before the line above.
  if (getppid() != setup->parent) _exit(1);
  if (setup->core < 0) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(setup->core), &cores);
  sched_setaffinity(0, sizeof(cores), &cores);
}

}  // namespace

LocalServer::LocalServer(const LocalServerOptions& options) {
  const std::string program = options.program.empty() ? findProgram() : options.program;
  std::vector<std::string> arguments{program, "--port", "0"};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const int core = options.core.value_or(-1);
  if (core >= CPU_SETSIZE) throw Error("core " + std::to_string(core), "not a CPU core");
  ChildSetup setup{getpid(), core};
  int output = -1;
  GError* error = nullptr;
  if (!g_spawn_async_with_pipes(nullptr, argv.data(), nullptr, G_SPAWN_DO_NOT_REAP_CHILD,
                                setUpChild, &setup, &pid_, nullptr, &output, nullptr, &error))
    throw Error(program, takeReason(error));
  try {
    url_ = awaitUrl(output, program, options.patience);
  } catch (...) {
    close(output);
    end();
    throw;
  }
  close(output);
}

LocalServer::~LocalServer() {
  end();
}

LocalServer::LocalServer(LocalServer&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), url_(std::move(other.url_)) {}

std::string LocalServer::awaitUrl(int output, const std::string& program,
                                  std::chrono::milliseconds patience) {
  const Clock::time_point end = Clock::now() + patience;
  std::string text;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    pollfd ready{output, POLLIN, 0};
    const int events = left.count() > 0 ? poll(&ready, 1, static_cast<int>(left.count())) : 0;
    // Interrupted: reading now could wait longer than `patience`.
    if (events < 0 && errno == EINTR) continue;
    if (events == 0)
      throw Error(program, "does not listen after " + std::to_string(patience.count()) + " ms");
    char block[256];
    const ssize_t n = read(output, block, sizeof(block));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Error(program, "ended before it listened");
    text.append(block, static_cast<std::size_t>(n));
    const std::size_t line = text.find('\n');
    if (line == std::string::npos) continue;
    text.resize(line);
    if (!text.starts_with(kListening)) throw Error(program, "said '" + text + "'");
    return text.substr(strlen(kListening));
  }
}

void LocalServer::end() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  const Clock::time_point bound = Clock::now() + kEndPatience;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (Clock::now() > bound) {
      kill(pid_, SIGKILL);
      waitpid(pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  pid_ = 0;
}

}  // namespace elf
