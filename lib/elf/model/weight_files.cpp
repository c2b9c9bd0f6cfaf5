// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/weight_files.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "elf/base/checksum.h"
#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/model/model_file.h"

namespace elf {

namespace {

namespace fs = std::filesystem;

/** The folders for files that a `.model` file at `modelPath` names. The first that has one wins. */
std::vector<std::string> foldersBeside(const std::string& modelPath) {
  std::vector<std::string> folders;
  if (!modelPath.empty()) folders.push_back(fs::path(modelPath).parent_path());
  for (std::string& folder : dataFolders(kModelFiles)) folders.push_back(std::move(folder));
  return folders;
}

std::optional<std::string> lookBeside(const std::string& modelPath, const std::string& file) {
  for (const std::string& folder : foldersBeside(modelPath)) {
    std::error_code ignored;
    const fs::path candidate = fs::path(folder) / file;
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  }
  return std::nullopt;
}

void checkSum(const std::string& path, const std::string& expected) {
  const std::string is = sha256Of(path);
  if (is != expected) throw Error(path, "has sha256 " + is + ", not " + expected);
}

}  // namespace

std::string findBeside(const std::string& modelPath, const std::string& file,
                       const std::string& subject, const std::string& remedy) {
  if (const auto found = lookBeside(modelPath, file)) return *found;
  std::string looked;
  for (const std::string& folder : foldersBeside(modelPath))
    looked += (looked.empty() ? "" : ":") + (folder.empty() ? "." : folder);
  throw Error(subject, "'" + file + "' is in none of " + looked + remedy);
}

std::vector<std::string> weightFiles(const ModelFile& model) {
  const std::string remedy =
      model.urls.empty() ? "" : " (elf-server --fetch " + model.path + " brings it)";
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    paths.push_back(findBeside(model.path, model.files[i], model.path + ": [model] file", remedy));
    if (!model.sha256.empty()) checkSum(paths.back(), model.sha256[i]);
  }
  return paths;
}

std::optional<std::string> findWeightFile(const ModelFile& model, const std::string& file) {
  return lookBeside(model.path, file);
}

}  // namespace elf
