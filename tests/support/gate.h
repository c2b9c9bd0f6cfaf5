// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a test holds a model back, in the place of sleeping.
#pragma once

#include <condition_variable>
#include <mutex>

namespace elf::testing {

/**
 * Holds whoever passes while it is closed, and counts. Any thread. Open it before what it holds is
 * to end.
 */
class Gate {
 public:
  void close() { set(false); }
  void open() { set(true); }
  /** Of those that it holds, or the next that comes. */
  void letOnePass() {
    const std::lock_guard lock(mutex_);
    ++allowed_;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || allowed_ > 0; });
    if (!open_) --allowed_;
  }
  void awaitEntered(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_ >= count; });
  }
  int entered() {
    const std::lock_guard lock(mutex_);
    return entered_;
  }

 private:
  void set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int entered_ = 0, allowed_ = 0;
};

}  // namespace elf::testing
