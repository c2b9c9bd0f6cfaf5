// SPDX-License-Identifier: LGPL-2.1-or-later
// std::mutex and std::condition_variable with annotations for clang's -Wthread-safety: which lock
// guards which data, and which functions need it. Other compilers ignore them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define ELF_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define ELF_THREAD_ATTRIBUTE(x)
#endif

/** The data is only used with the lock held. Clang does not check what a pointer points to. */
#define ELF_GUARDED_BY(lock) ELF_THREAD_ATTRIBUTE(guarded_by(lock))
/** The function is called with the lock held. */
#define ELF_REQUIRES(...) ELF_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
/** The function is called without the lock: it takes the lock itself or runs callbacks. */
#define ELF_EXCLUDES(...) ELF_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
/** The lock is only ever taken before the other one. */
#define ELF_ACQUIRED_BEFORE(...) ELF_THREAD_ATTRIBUTE(acquired_before(__VA_ARGS__))
/** Not checked; a comment says why. */
#define ELF_NO_THREAD_SAFETY_ANALYSIS ELF_THREAD_ATTRIBUTE(no_thread_safety_analysis)

#define ELF_CAPABILITY ELF_THREAD_ATTRIBUTE(capability("mutex"))
#define ELF_SCOPED_CAPABILITY ELF_THREAD_ATTRIBUTE(scoped_lockable)
#define ELF_ACQUIRE(...) ELF_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define ELF_RELEASE(...) ELF_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define ELF_TRY_ACQUIRE(...) ELF_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define ELF_ASSERT_CAPABILITY(x) ELF_THREAD_ATTRIBUTE(assert_capability(x))

namespace elf {

class ELF_CAPABILITY Mutex {
 public:
  void lock() ELF_ACQUIRE() { mutex_.lock(); }
  void unlock() ELF_RELEASE() { mutex_.unlock(); }
  bool tryLock() ELF_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  /** Tells clang that the lock is held, where it can't see that: in a lambda, say. */
  void assertHeld() const ELF_ASSERT_CAPABILITY(this) {}

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/** For MutexLock: the caller has locked it. */
inline constexpr std::adopt_lock_t kLocked{};

/** Holds a lock while it lives. It may release the lock in between. */
class ELF_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ELF_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  MutexLock(Mutex& mutex, std::adopt_lock_t locked) ELF_REQUIRES(mutex)
      : lock_(mutex.mutex_, locked) {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() ELF_RELEASE() = default;

  void lock() ELF_ACQUIRE() { lock_.lock(); }
  void unlock() ELF_RELEASE() { lock_.unlock(); }

 private:
  friend class ConditionVariable;
  std::unique_lock<std::mutex> lock_;
};

/** Wakes waiting threads. Check the condition in a loop: a thread may wake without cause. */
class ConditionVariable {
 public:
  void wait(MutexLock& lock) { changed_.wait(lock.lock_); }
  /** False on a timeout. */
  template <typename Clock, typename Duration>
  bool waitUntil(MutexLock& lock, const std::chrono::time_point<Clock, Duration>& time) {
    return changed_.wait_until(lock.lock_, time) == std::cv_status::no_timeout;
  }
  void notifyOne() { changed_.notify_one(); }
  void notifyAll() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
};

}  // namespace elf
