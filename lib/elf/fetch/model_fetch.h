// SPDX-License-Identifier: LGPL-2.1-or-later
// Brings the files of a model to this machine, when somebody asks for that.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "elf/model/model_file.h"

namespace elf {

/** What is about to be fetched. */
struct FetchPlan {
  /** Names of the files, as the model has them. */
  std::vector<std::string> files;
  /** Hosts, or local files, each once. */
  std::vector<std::string> from;
  /** Of all files; nothing where a server does not tell. */
  std::optional<std::uint64_t> bytes;
  /** How many of them an earlier fetch has brought. */
  std::uint64_t bytesThere = 0;
};

struct FetchProgress {
  /** One of FetchPlan::files. */
  std::string file;
  std::uint64_t bytes = 0;
  /** Of the whole file; nothing where the server does not tell. */
  std::optional<std::uint64_t> total;
};

struct FetchOptions {
  /**
   * Addresses or local files in the place of ModelFile::urls: none, or one for each file of the
   * model.
   */
  std::vector<std::string> from;
  /** Where the files go; empty: the user's own folder of models (userDataFolder()). */
  std::string folder;
  /** No file may be larger. */
  std::uint64_t longest = std::uint64_t{4} << 30;
  /** For how long a server may send nothing. */
  std::chrono::seconds patience{30};
  /** PEM: the authorities that vouch for servers; empty: the system's. */
  std::string caFile;
  /** Ends it with an error; what can be gone on from later is kept. */
  std::stop_token stop;
  /** Called once, before the first byte of any file; not where all files are there. */
  std::function<void(const FetchPlan&)> onPlan;
  /** Called for each block that came. */
  std::function<void(const FetchProgress&)> onProgress;
};

/** A file of the model, which is there now. */
struct FetchedFile {
  std::string path;
  std::uint64_t bytes = 0;
  std::string sha256;
  /** It was there before. */
  bool wasThere = false;
};

/**
 * Brings all files of `model` that weightFiles() would not find, over HTTPS or from this machine,
 * through the proxy that the system or the environment names, and calls back meanwhile in the
 * calling thread. A file gets its name when it is whole, on the disk, and has the checksum that the
 * model names, if that names one; until then its bytes are in NAME.part. A part is gone on from
 * where the server can tell that the file is still the same, and else removed. Nothing that is
 * there is written over.
 *
 * Throws elf::Error naming the file, address or key that is wrong, and the part that is kept.
 */
std::vector<FetchedFile> fetchModel(const ModelFile& model, const FetchOptions& options = {});

}  // namespace elf
