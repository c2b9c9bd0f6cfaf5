// SPDX-License-Identifier: LGPL-2.1-or-later
// A mutex for objects that call back into code of others.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace elf {

/**
 * A mutex with callbacks that wait until it is released, so that none runs with a lock held.
 *
 *   const DeferringMutex::Lock lock(mutex_);
 *   mutex_.defer([this] { listener_.onReady(); });  // runs at the end of the scope
 */
class DeferringMutex {
 public:
  class Lock {
   public:
    explicit Lock(DeferringMutex& mutex) : mutex_(mutex) { lock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    /** Throws what a callback throws; those behind it are lost then. */
    ~Lock() noexcept(false) {
      if (locked_) unlock();
    }

    void lock() {
      mutex_.mutex_.lock();
      locked_ = true;
    }
    /** Also runs what was deferred. */
    void unlock() {
      const auto deferred = std::exchange(mutex_.deferred_, {});
      locked_ = false;
      mutex_.mutex_.unlock();
      for (const auto& call : deferred) call();
    }

   private:
    DeferringMutex& mutex_;
    bool locked_ = false;
  };

  /** Only with the lock held. Callbacks run in the order in which they were deferred. */
  void defer(std::function<void()> call) { deferred_.push_back(std::move(call)); }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> deferred_;
};

}  // namespace elf
