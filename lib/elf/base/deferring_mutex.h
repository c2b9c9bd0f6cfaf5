// SPDX-License-Identifier: LGPL-2.1-or-later
// A mutex for objects that call listeners.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "elf/base/mutex.h"

namespace elf {

/**
 * A mutex with callbacks that wait until it is released, so that none runs with the lock held.
 *
 *   const DeferringMutex::Lock lock(mutex_);
 *   mutex_.defer([this] { listener_.onReady(); });  // runs at the end of the scope
 */
class ELF_CAPABILITY DeferringMutex {
 public:
  class ELF_SCOPED_CAPABILITY Lock {
   public:
    explicit Lock(DeferringMutex& mutex) ELF_ACQUIRE(mutex) : mutex_(mutex) { acquire(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    /** Throws what a callback throws. The callbacks after it are then lost. */
    ~Lock() noexcept(false) ELF_RELEASE() {
      if (locked_) release();
    }

    void lock() ELF_ACQUIRE() { acquire(); }
    /** Also runs the deferred callbacks. */
    void unlock() ELF_RELEASE() { release(); }

   private:
    void acquire() ELF_NO_THREAD_SAFETY_ANALYSIS {
      mutex_.mutex_.lock();
      locked_ = true;
    }
    void release() ELF_NO_THREAD_SAFETY_ANALYSIS {
      const auto deferred = std::exchange(mutex_.deferred_, {});
      locked_ = false;
      mutex_.mutex_.unlock();
      for (const auto& call : deferred) call();
    }

    DeferringMutex& mutex_;
    bool locked_ = false;
  };

  /** Tells clang that the lock is held, where it can't see that. */
  void assertHeld() const ELF_ASSERT_CAPABILITY(this) {}
  /** Callbacks run in the order in which they were deferred. */
  void defer(std::function<void()> call) ELF_REQUIRES(this) {
    deferred_.push_back(std::move(call));
  }

 private:
  Mutex mutex_;
  /** Guarded by this capability, whose lock is `mutex_`. */
  std::vector<std::function<void()>> deferred_;
};

}  // namespace elf
