// SPDX-License-Identifier: LGPL-2.1-or-later
// Fetches the files of a model to this machine, on request.
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

/** A fetch that is about to begin. */
struct FetchPlan {
  /** Names of the files, as in the model. */
  std::vector<std::string> files;
  /** Hosts or local files, each once. */
  std::vector<std::string> from;
  /** The size of all files. Unset if a server does not report it. */
  std::optional<std::uint64_t> bytes;
  /** The number of these bytes that an earlier fetch has stored. */
  std::uint64_t bytesThere = 0;
};

struct FetchProgress {
  /** One of FetchPlan::files. */
  std::string file;
  std::uint64_t bytes = 0;
  /** The size of the whole file. Unset if the server does not report it. */
  std::optional<std::uint64_t> total;
};

struct FetchOptions {
  /**
   * Addresses or local files that replace ModelFile::urls: none, or one for each file of the model.
   */
  std::vector<std::string> from;
  /** The folder for the files. Empty: the user's own folder of models (userDataFolder()). */
  std::string folder;
  /** The maximum size of a file. */
  std::uint64_t longest = std::uint64_t{4} << 30;
  /** The maximum time without data from a server. */
  std::chrono::seconds patience{30};
  /** PEM file of the authorities that vouch for servers. Empty: the system's. */
  std::string caFile;
  /** Ends the fetch with an error. Keeps bytes that a later fetch can continue from. */
  std::stop_token stop;
  /** Called once, before the first byte of any file, unless all files are there. */
  std::function<void(const FetchPlan&)> onPlan;
  /** Called for each received block. */
  std::function<void(const FetchProgress&)> onProgress;
};

/** A file of the model, which is now present. */
struct FetchedFile {
  std::string path;
  std::uint64_t bytes = 0;
  std::string sha256;
  /** It was present before. */
  bool wasThere = false;
};

/**
 * Fetches all files of `model` that weightFiles() would not find, over HTTPS or from this machine,
 * through the proxy of the system or the environment. Calls back in the calling thread. A file gets
 * its name when it is whole, on the disk, and has the model's checksum, if there is one. Until then
 * its bytes are in NAME.part. A part is continued if the server can tell that the file is still the
 * same, else removed. Never overwrites a file.
 *
 * Throws elf::Error naming the wrong file, address or key, and the part that is kept.
 */
std::vector<FetchedFile> fetchModel(const ModelFile& model, const FetchOptions& options = {});

}  // namespace elf
