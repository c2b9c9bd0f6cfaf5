// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "elf/base/error.h"
#include "elf/server/inference_model.h"
#include "programs/elf-server/tasks.h"

namespace elf::program {

namespace {

/** In the child. Silences the runtime: its error is reported in one line when the parent loads. */
[[noreturn]] void load(const ModelFile& file) {
  if (const int nowhere = open("/dev/null", O_WRONLY); nowhere >= 0) {
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
  }
  try {
    InferenceModel::create(file);
  } catch (...) {
    // The parent will get it, too.
  }
  _exit(0);
}

}  // namespace

void tryInChild(const ModelFile& file) {
  if (file.files.empty()) return;
  const pid_t child = fork();
  if (child == 0) load(file);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) return;
  throw Error(file.files[0], std::string("ends the process that loads it: ") +
                                 strsignal(WTERMSIG(status)) +
                                 " (another [model] backend may do better)");
}

}  // namespace elf::program
