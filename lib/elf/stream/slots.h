// SPDX-License-Identifier: LGPL-2.1-or-later
// How many frames of a stream are under way, and who waits until there is room for one more.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/geometry/box.h"

namespace elf {

/**
 * A frame takes a slot when it enters the stream, and gives it back when it is answered, passes
 * unsent, or is gone because its buffer was released. Any thread. Its lock is a leaf: nothing else
 * is called while it is held, so frames may die anywhere.
 */
class Slots {
 public:
  using Clock = std::chrono::steady_clock;

  /** What whoever sends the frames asks for. */
  struct Limits {
    /** Somebody sends the frames; else there is nothing to wait for. */
    bool bounded = false;
    /** Frames that are sent and not answered, >= 1. */
    int maxInFlight = 1;
    /** A frame that finds no slot passes unsent at once, rather than wait. */
    bool leaky = false;
    /** The source does not wait: nobody waits for frames that are late already. */
    bool live = false;
    /** What a frame may take; unset: as long as it needs. */
    std::optional<std::chrono::milliseconds> deadline = std::nullopt;
    /** The servers have told about themselves, or failed to. */
    bool ready = true;
    /** They are waited for no longer than this; where live frames pass unsent meanwhile. */
    Clock::time_point readyBy{};
  };
  /** Where live the first frame waits so long for servers: most are ready by then. */
  static constexpr std::chrono::milliseconds kGrace{50};

  enum class Turn {
    Go,       ///< the frame has a slot
    Pass,     ///< there is no slot in time: it is to pass unsent
    Stopped,  ///< `stop` was set
  };

  void setLimits(const Limits& limits);
  Limits limits() const;
  void setReady();

  /**
   * Waits until frame `id` has its turn, and takes a slot for it where it is to go. Frames that are
   * late may hold their slots until they are settled: where all slots are held by such, a frame
   * passes unsent; at once where live, else when its own deadline has come.
   */
  Turn enter(std::uint64_t id, const std::atomic<bool>& stop);
  /**
   * Waits until one more frame may be sent, or there is no use in waiting for those that were, so
   * that whoever has frames to give keeps the newest. False where `stop` was set.
   */
  bool awaitRoom(const std::atomic<bool>& stop);
  /** Whoever waits looks at its `stop` again. */
  void wake();

  /** The frame is being sent. */
  void markSent(std::uint64_t id) { mark(id, State::Sent); }
  /** It has gone on without its answers, which may still come. */
  void markLate(std::uint64_t id) { mark(id, State::Late); }
  /** Gives the slot back, where the frame has one. */
  void leave(std::uint64_t id);
  /** A frame is gone that was never sent; `planned` is what was to be looked at in it. */
  void leaveUnsent(std::uint64_t id, std::vector<Rect> planned);
  /** What was to be looked at in frames that are gone, since the last call. */
  std::vector<Rect> takeUnseen();

 private:
  enum class State { Entered, Sent, Late };

  void mark(std::uint64_t id, State state);
  bool isFull() const ELF_REQUIRES(mutex_);
  bool allLate() const ELF_REQUIRES(mutex_);
  bool mayBeSent() const ELF_REQUIRES(mutex_);

  mutable Mutex mutex_;
  ConditionVariable changed_;
  Limits limits_ ELF_GUARDED_BY(mutex_);
  /** When the first frame came for whom somebody sends. */
  std::optional<Clock::time_point> first_ ELF_GUARDED_BY(mutex_);
  /** By id. */
  std::map<std::uint64_t, State> taken_ ELF_GUARDED_BY(mutex_);
  std::vector<Rect> unseen_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
