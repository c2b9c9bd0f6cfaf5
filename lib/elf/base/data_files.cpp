// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/data_files.h"

#include <glib.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "elf/base/error.h"

namespace elf {

namespace fs = std::filesystem;

std::vector<std::string> dataFolders(const DataFileKind& kind) {
  std::vector<std::string> folders;
  if (const char* value = g_getenv(kind.variable)) {
    std::istringstream list(value);
    for (std::string folder; std::getline(list, folder, G_SEARCHPATH_SEPARATOR);)
      if (!folder.empty()) folders.push_back(folder);
  }
  const fs::path below = fs::path("elf") / kind.folder;
  folders.push_back(fs::path(g_get_user_data_dir()) / below);
  for (const char* const* dir = g_get_system_data_dirs(); *dir; ++dir)
    folders.push_back(fs::path(*dir) / below);
  const fs::path installed = fs::path(ELF_INSTALLED_DATA_DIR) / kind.folder;
  if (std::find(folders.begin(), folders.end(), installed) == folders.end())
    folders.push_back(installed);
  return folders;
}

std::string findDataFile(const DataFileKind& kind, const std::string& name) {
  std::error_code ignored;
  if ((name.find('/') != std::string::npos || name.ends_with(kind.suffix)) &&
      fs::is_regular_file(name, ignored))
    return name;
  std::string looked;
  if (name.find('/') == std::string::npos) {
    for (const std::string& folder : dataFolders(kind)) {
      const fs::path candidate = fs::path(folder) / (name + kind.suffix);
      if (fs::is_regular_file(candidate, ignored)) return candidate;
      looked += (looked.empty() ? ", looked in " : ":") + folder;
    }
  }
  throw Error(name, std::string("no such ") + kind.suffix + " file" + looked);
}

std::vector<std::string> listDataFiles(const DataFileKind& kind) {
  std::set<std::string> names;
  for (const std::string& folder : dataFolders(kind)) {
    std::error_code unreadable;
    for (fs::directory_iterator it(folder, unreadable), end; !unreadable && it != end;
         it.increment(unreadable))
      if (it->path().extension() == kind.suffix) names.insert(it->path().stem());
  }
  return {names.begin(), names.end()};
}

}  // namespace elf
