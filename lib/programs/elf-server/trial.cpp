// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/server/inference_model.h"
#include "programs/elf-server/tasks.h"

namespace elf::program {

namespace {

using Clock = std::chrono::steady_clock;

/** Runs between fork and exec: async-signal-safe calls only. */
void endWithParent(gpointer parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have ended before the line above.
  if (getppid() != *static_cast<const pid_t*>(parent)) _exit(1);
}

/** The status of the child, which has ended. Unset if it had to be killed after `patience`. */
std::optional<int> statusOf(pid_t child, std::chrono::seconds patience) {
  const Clock::time_point end = Clock::now() + patience;
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() > end) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return std::nullopt;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return status;
}

}  // namespace

void tryModel(const std::string& model) {
  try {
    InferenceModel::create(loadModelFile(model));
  } catch (const std::exception&) {
    // The process that serves will get it, too.
  }
}

void tryInChild(const std::string& model, const ModelFile& file, const Options& options) {
  if (file.files.empty()) return;
  std::string program = "/proc/self/exe", option = "--try=" + model;
  std::string folder = "--openvino-dir=" + options.openVinoFolder;
  char* arguments[] = {program.data(), option.data(),
                       options.openVinoFolder.empty() ? nullptr : folder.data(), nullptr};
  // The error of a runtime is reported in one line when the model is made.
  const auto quiet = static_cast<GSpawnFlags>(
      G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL | G_SPAWN_DO_NOT_REAP_CHILD);
  pid_t self = getpid(), child = 0;
  GError* error = nullptr;
  if (!g_spawn_async(nullptr, arguments, nullptr, quiet, endWithParent, &self, &child, &error))
    throw Error(file.files[0], "cannot be tried in a process of its own: " + takeReason(error));
  const std::optional<int> status = statusOf(child, options.loadTimeout);
  if (!status)
    throw Error(file.files[0], "is not loaded after " +
                                   std::to_string(options.loadTimeout.count()) +
                                   " s (--load-timeout gives it more)");
  if (WIFSIGNALED(*status))
    throw Error(file.files[0], std::string("ends the process that loads it: ") +
                                   strsignal(WTERMSIG(*status)) +
                                   " (another [model] backend may do better)");
}

}  // namespace elf::program
