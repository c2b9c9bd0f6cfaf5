// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds the files that users may add: models, weights, pipelines.
#pragma once

#include <string>
#include <vector>

namespace elf {

/** A kind of file that users may add. */
struct DataFileKind {
  /** Environment variable: folders, separated by ':', that are searched first. */
  const char* variable;
  /** Folder below `elf/` in the data directories. */
  const char* folder;
  /** File name ending, with its dot. */
  const char* suffix;
};

inline constexpr DataFileKind kModelFiles{"ELF_MODEL_PATH", "models", ".model"};
inline constexpr DataFileKind kPipelineFiles{"ELF_PIPELINE_PATH", "pipelines", ".pipeline"};
inline constexpr DataFileKind kWeightFiles{"ELF_MODEL_PATH", "models", ".safetensors"};

/**
 * The folders of a kind, in the order of search: those of the environment variable, the user's data
 * directory ($XDG_DATA_HOME/elf/FOLDER), the system's ($XDG_DATA_DIRS), the installed one. They
 * need not exist.
 */
std::vector<std::string> dataFolders(const DataFileKind& kind);

/** The user's own folder of that kind. Programs may write into it. */
std::string userDataFolder(const DataFileKind& kind);

/** The whole content of a file. Throws elf::Error naming the file if it can't be read. */
std::string readFile(const std::string& path);

/**
 * The path of the file `name`: `name` itself if it exists and holds a '/' or ends in the suffix,
 * else NAME+suffix in the first folder that has it. Throws elf::Error naming `name` and the folders
 * searched.
 */
std::string findDataFile(const DataFileKind& kind, const std::string& name);

/** A file that was found. */
struct DataFile {
  /** Empty for a file that is built into the library. */
  std::string path;
  std::string content;
};

/**
 * The file that findDataFile() finds, else the built-in one of that name: the model `hog`, the
 * weights `default`. Throws elf::Error as findDataFile() and readFile().
 */
DataFile readDataFile(const DataFileKind& kind, const std::string& name);

/** Names (without suffix) of all files of a kind, built in or not; sorted, each once. */
std::vector<std::string> listDataFiles(const DataFileKind& kind);

}  // namespace elf
