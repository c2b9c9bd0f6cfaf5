// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>

#include "elf/base/error.h"

namespace elf {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& path, int error) {
  throw Error(path, "can't be written: " + std::generic_category().message(error));
}

}  // namespace

void requireWritable(const std::string& path) {
  if (path.empty() || path == "-") return;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) fail(path, EISDIR);
  // Opens nothing: a reader of a pipe would see its end, and a program that waits for a file would
  // find it.
  const bool isThere = access(path.c_str(), F_OK) == 0;
  const fs::path folder = fs::path(path).parent_path();
  const int may = isThere          ? access(path.c_str(), W_OK)
                  : folder.empty() ? access(".", W_OK | X_OK)
                                   : access(folder.c_str(), W_OK | X_OK);
  if (may != 0) fail(path, errno);
}

void writeFile(const std::string& path, const std::string& content) {
  errno = 0;
  std::ofstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::ostream& out = path == "-" ? std::cout : file;
  out << content << std::flush;
  if (!out) fail(path, errno != 0 ? errno : EIO);
}

}  // namespace elf
