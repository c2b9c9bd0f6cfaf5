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
  // What is there is not opened: a pipe would end for its reader.
  if (access(path.c_str(), F_OK) == 0) {
    if (access(path.c_str(), W_OK) != 0) fail(path, errno);
    return;
  }
  if (!std::ofstream(path)) fail(path, errno);
  fs::remove(path, ignored);
}

void writeFile(const std::string& path, const std::string& content) {
  std::ofstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::ostream& out = path == "-" ? std::cout : file;
  out << content << std::flush;
  if (!out) fail(path, errno);
}

}  // namespace elf
