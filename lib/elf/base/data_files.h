// SPDX-License-Identifier: LGPL-2.1-or-later
// Where files that users may drop in are looked for: models, weights, pipelines.
#pragma once

#include <string>
#include <vector>

namespace elf {

/** A kind of dropped-in file. */
struct DataFileKind {
  /** Environment variable with folders, separated by ':', that come first. */
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
 * The folders of a kind, first wins: the environment variable's, the user's data directory
 * ($XDG_DATA_HOME/elf/FOLDER), the system's ($XDG_DATA_DIRS), the installed one. They need not
 * exist.
 */
std::vector<std::string> dataFolders(const DataFileKind& kind);

/** The one of them that is the user's own, and into which programs may write. */
std::string userDataFolder(const DataFileKind& kind);

/** The whole content of a file. Throws elf::Error naming it where it can't be read. */
std::string readFile(const std::string& path);

/**
 * Throws elf::Error naming `path` where its content is not UTF-8 text: what GLib says of a key file
 * holds the lines that it can't read.
 */
void requireText(const std::string& path, const std::string& content);

/**
 * The file of that name: itself where `name` holds a '/' or ends in the suffix and exists, else
 * NAME+suffix in the first folder that has it. Throws elf::Error naming `name` and the folders
 * looked in.
 */
std::string findDataFile(const DataFileKind& kind, const std::string& name);

/** A file that was found. */
struct DataFile {
  /** Empty for one that is built into the library. */
  std::string path;
  std::string content;
};

/**
 * The file that findDataFile() finds, and where there is none, the one of that name that is built
 * in: the model `hog`, the weights `default`. Throws elf::Error as findDataFile() and readFile().
 */
DataFile readDataFile(const DataFileKind& kind, const std::string& name);

/** Names (without suffix) of all files of a kind, built in or not; sorted, each once. */
std::vector<std::string> listDataFiles(const DataFileKind& kind);

}  // namespace elf
