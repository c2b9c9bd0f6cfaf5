// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "elf/base/error.h"

namespace elf {

namespace {

std::error_code lastError() {
  return {errno, std::generic_category()};
}

int openToAppend(const std::string& path) {
  constexpr mode_t kMode = 0666;
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
  if (descriptor < 0) throw Error(path, "can't be written: " + lastError().message());
  return descriptor;
}

/** Whether the last line of the file has no end. */
bool isTorn(const std::string& path) {
  struct stat status {};
  // A pipe or a terminal has no last byte, and opening it again would be noticed.
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
    return false;
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  char last = '\n';
  const bool read = pread(descriptor, &last, 1, status.st_size - 1) == 1;
  close(descriptor);
  return read && last != '\n';
}

}  // namespace

LineFile::LineFile(const std::string& path) : LineFile(path, openToAppend(path)) {
  torn_ = isTorn(path);
}

LineFile::LineFile(const std::string& name, int descriptor)
    : name_(name), descriptor_(descriptor) {}

LineFile::~LineFile() {
  close(descriptor_);
}

std::string LineFile::append(const std::string& line) {
  const std::string text = (torn_ ? "\n" : "") + line + '\n';
  const bool failedBefore = static_cast<bool>(std::exchange(failure_, {}));
  for (std::string_view left = text; !left.empty();) {
    const ssize_t written = write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      failure_ = written < 0 ? lastError() : std::make_error_code(std::errc::io_error);
      break;
    }
    const auto count = static_cast<std::size_t>(written);
    torn_ = left[count - 1] != '\n';
    left.remove_prefix(count);
  }
  if (failure_) {
    ++missing_;
    return failedBefore ? ""
                        : name_ + ": can't be written: " + failure_.message() +
                              " (lines are left out until it can)";
  }
  const std::uint64_t missing = std::exchange(missing_, 0);
  return failedBefore
             ? name_ + ": is written again (lines left out: " + std::to_string(missing) + ")"
             : "";
}

}  // namespace elf
