// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/data_files.h"

#include <gio/gio.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/glib.h"

namespace elf {

namespace fs = std::filesystem;

std::string userDataFolder(const DataFileKind& kind) {
  return fs::path(g_get_user_data_dir()) / "elf" / kind.folder;
}

std::vector<std::string> dataFolders(const DataFileKind& kind) {
  std::vector<std::string> folders;
  if (const char* value = g_getenv(kind.variable)) {
    std::istringstream list(value);
    for (std::string folder; std::getline(list, folder, G_SEARCHPATH_SEPARATOR);)
      if (!folder.empty()) folders.push_back(folder);
  }
  const fs::path below = fs::path("elf") / kind.folder;
  folders.push_back(userDataFolder(kind));
  for (const char* const* dir = g_get_system_data_dirs(); *dir; ++dir)
    folders.push_back(fs::path(*dir) / below);
  const fs::path installed = fs::path(ELF_INSTALLED_DATA_DIR) / kind.folder;
  if (std::find(folders.begin(), folders.end(), installed) == folders.end())
    folders.push_back(installed);
  return folders;
}

namespace {

std::optional<std::string> find(const DataFileKind& kind, const std::string& name) {
  std::error_code ignored;
  const bool isPath = name.find('/') != std::string::npos;
  if ((isPath || name.ends_with(kind.suffix)) && fs::is_regular_file(name, ignored)) return name;
  if (isPath) return std::nullopt;
  for (const std::string& folder : dataFolders(kind)) {
    const fs::path candidate = fs::path(folder) / (name + kind.suffix);
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  }
  return std::nullopt;
}

Error notFound(const DataFileKind& kind, const std::string& name) {
  std::string looked;
  if (name.find('/') == std::string::npos)
    for (const std::string& folder : dataFolders(kind))
      looked += (looked.empty() ? ", looked in " : ":") + folder;
  return Error(name, std::string("no such ") + kind.suffix + " file" + looked);
}

/** Folder of the built-in files of a kind. */
std::string builtInFolder(const DataFileKind& kind) {
  return std::string("/elf/") + kind.folder;
}

std::optional<std::string> builtIn(const DataFileKind& kind, const std::string& name) {
  const std::string path = builtInFolder(kind) + "/" + name + kind.suffix;
  const Ref<GBytes> bytes(
      g_resources_lookup_data(path.c_str(), G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr));
  if (!bytes) return std::nullopt;
  gsize size = 0;
  const auto* data = static_cast<const char*>(g_bytes_get_data(bytes.get(), &size));
  return std::string(data, size);
}

}  // namespace

std::string readFile(const std::string& path) {
  gchar* content = nullptr;
  gsize size = 0;
  GError* error = nullptr;
  if (!g_file_get_contents(path.c_str(), &content, &size, &error))
    throw Error(path, "can't be read: " + takeReason(error));
  const Ref<gchar> owner(content);
  return {content, size};
}

std::string findDataFile(const DataFileKind& kind, const std::string& name) {
  if (const auto path = find(kind, name)) return *path;
  throw notFound(kind, name);
}

DataFile readDataFile(const DataFileKind& kind, const std::string& name) {
  if (const auto path = find(kind, name)) return {*path, readFile(*path)};
  if (auto content = builtIn(kind, name)) return {"", std::move(*content)};
  throw notFound(kind, name);
}

std::vector<std::string> listDataFiles(const DataFileKind& kind) {
  std::set<std::string> names;
  for (const std::string& folder : dataFolders(kind)) {
    std::error_code unreadable;
    for (fs::directory_iterator it(folder, unreadable), end; !unreadable && it != end;
         it.increment(unreadable))
      if (it->path().extension() == kind.suffix) names.insert(it->path().stem());
  }
  const Ref<gchar*> builtIns(g_resources_enumerate_children(builtInFolder(kind).c_str(),
                                                            G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr));
  for (gchar** name = builtIns.get(); name && *name; ++name)
    if (fs::path(*name).extension() == kind.suffix) names.insert(fs::path(*name).stem());
  return {names.begin(), names.end()};
}

}  // namespace elf
