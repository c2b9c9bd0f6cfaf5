// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/fetch/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/output_file.h"
#include "elf/base/printable.h"

namespace elf {

namespace fs = std::filesystem;

PartFile::PartFile(std::string goal)
    : goal_(std::move(goal)), path_(goal_ + ".part"), tagPath_(path_ + ".tag") {
  try {
    // The former holder of the lock may have renamed or removed the file meanwhile.
    do {
      if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
      open();
    } while (!isStillNamed());
    std::error_code ignored;
    size_ = fs::file_size(path_, ignored);
    if (size_ > 0 && fs::is_regular_file(tagPath_, ignored)) tag_ = readFile(tagPath_);
  } catch (...) {
    if (descriptor_ >= 0) close(descriptor_);
    throw;
  }
}

PartFile::~PartFile() {
  if (descriptor_ < 0) return;
  if (size_ == 0 || tag_.empty()) discard();
  close(descriptor_);
}

void PartFile::fail(int error) const {
  throw Error(path_, "can't be written: " + std::generic_category().message(error) + remains());
}

void PartFile::open() {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(errno);
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK) throw Error(path_, "another elf-server --fetch is writing it");
  fail(errno);
}

bool PartFile::isStillNamed() const {
  struct stat held {
  }, named{};
  return fstat(descriptor_, &held) == 0 && lstat(path_.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

std::string PartFile::remains() const {
  if (size_ == 0 || tag_.empty()) return {};
  return "; " + path_ + " keeps the first " + formatBytes(size_) +
         ", and the same command goes on from there";
}

void PartFile::restart(const std::string& tag) {
  if (ftruncate(descriptor_, 0) != 0) fail(errno);
  size_ = 0;
  tag_.clear();
  unlink(tagPath_.c_str());
  if (tag.empty()) return;
  writeFile(tagPath_, tag);
  tag_ = tag;
}

void PartFile::append(const void* data, std::size_t size) {
  for (const auto* next = static_cast<const char*>(data); size > 0;) {
    const ssize_t written = write(descriptor_, next, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    next += written;
    size -= static_cast<std::size_t>(written);
    size_ += static_cast<std::uint64_t>(written);
  }
}

void PartFile::commit() {
  if (fsync(descriptor_) != 0) fail(errno);
  unlink(tagPath_.c_str());
  tag_.clear();
  if (rename(path_.c_str(), goal_.c_str()) != 0) fail(errno);
  close(std::exchange(descriptor_, -1));
  // The name must survive a loss of power, too.
  const int folder = ::open(fs::path(goal_).parent_path().c_str(), O_RDONLY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

void PartFile::discard() noexcept {
  unlink(tagPath_.c_str());
  unlink(path_.c_str());
  size_ = 0;
}

}  // namespace elf
