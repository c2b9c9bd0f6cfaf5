// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that can't grow: a disk that is full for this process.
#pragma once

#include <sys/resource.h>

#include <csignal>

namespace elf::testing {

/** While it lives, no file of the process grows beyond `bytes`: the last write is cut off there. */
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) : before_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit lower{bytes, limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &lower);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;
  ~SizeLimit() {
    setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }

 private:
  void (*before_)(int);
  rlimit limit_{};
};

}  // namespace elf::testing
