// SPDX-License-Identifier: LGPL-2.1-or-later
// The released Elf's traces, which are not part of the project.
#pragma once

#include <glib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/folder.h"

namespace elf::testing {

/** Unpacks the traces into `folder`: `train` and `eval`. Empty where they are not on the machine.
 */
inline std::string releasedTraces(const Folder& folder) {
  const char* shared = std::getenv("ELF_TEST_SHARED");
  const std::string archive = std::string(shared ? shared : "") + "/data/rp-traces.tar.gz";
  if (!std::filesystem::exists(archive)) return {};
  const std::string to = folder.file("elf-release");
  std::filesystem::create_directory(to);
  const char* command[] = {"tar", "-xzf", archive.c_str(), "-C", to.c_str(), nullptr};
  gint status = 1;
  const bool ran = g_spawn_sync(nullptr, const_cast<char**>(command), nullptr, G_SPAWN_SEARCH_PATH,
                                nullptr, nullptr, nullptr, nullptr, &status, nullptr);
  return ran && g_spawn_check_wait_status(status, nullptr) ? to : std::string();
}

}  // namespace elf::testing
