// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>
#include <sys/wait.h>

#include <cstring>
#include <string>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/server/inference_model.h"
#include "programs/elf-server/tasks.h"

namespace elf::program {

void tryModel(const std::string& model) {
  try {
    InferenceModel::create(loadModelFile(model));
  } catch (const std::exception&) {
    // The process that serves will get it, too.
  }
}

void tryInChild(const std::string& model, const ModelFile& file,
                const std::string& openVinoFolder) {
  if (file.files.empty()) return;
  std::string program = "/proc/self/exe", option = "--try=" + model;
  std::string folder = "--openvino-dir=" + openVinoFolder;
  char* arguments[] = {program.data(), option.data(),
                       openVinoFolder.empty() ? nullptr : folder.data(), nullptr};
  // The error of a runtime is reported in one line when the model is made.
  const auto quiet =
      static_cast<GSpawnFlags>(G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL);
  int status = 0;
  GError* error = nullptr;
  if (!g_spawn_sync(nullptr, arguments, nullptr, quiet, nullptr, nullptr, nullptr, nullptr, &status,
                    &error))
    throw Error(file.files[0], "cannot be tried in a process of its own: " + takeReason(error));
  if (WIFSIGNALED(status))
    throw Error(file.files[0], std::string("ends the process that loads it: ") +
                                   strsignal(WTERMSIG(status)) +
                                   " (another [model] backend may do better)");
}

}  // namespace elf::program
