// SPDX-License-Identifier: LGPL-2.1-or-later
// How many frames of a stream are under way. New frames wait here for room.
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
 * A frame takes a slot when it enters the stream. It gives the slot back when it is answered,
 * passes unsent, or is gone because its buffer was released. Any thread. Its lock is a leaf:
 * nothing else is called while it is held, so frames may be destroyed anywhere.
 */
class Slots {
 public:
  using Clock = std::chrono::steady_clock;

  /** Set by the element that sends the frames. */
  struct Limits {
    /** The stream has a sender. Otherwise there is nothing to wait for. */
    bool bounded = false;
    /** Frames that are sent and not answered, >= 1. */
    int maxInFlight = 1;
    /** A frame without a slot passes unsent at once instead of waiting. */
    bool leaky = false;
    /** The source does not wait, so no frame waits for frames that are late already. */
    bool live = false;
    /** Time that a frame may take; unset: as long as it needs. */
    std::optional<std::chrono::milliseconds> deadline = std::nullopt;
    /** The servers have described themselves, or failed to. */
    bool ready = true;
    /** Servers are waited for until then. Live frames pass unsent meanwhile. */
    Clock::time_point readyBy{};
  };
  /** If live, the first frame waits this long for servers. Most are ready by then. */
  static constexpr std::chrono::milliseconds kGrace{50};

  enum class Turn {
    Go,       ///< the frame has a slot
    Pass,     ///< no slot is free in time: the frame is to pass unsent
    Stopped,  ///< `stop` was set
  };

  void setLimits(const Limits& limits);
  Limits limits() const;
  void setReady();

  /**
   * Waits for the turn of frame `id`, and takes a slot for it if it is to go. Late frames may hold
   * their slots until they are settled. If such frames hold all slots, a frame passes unsent: at
   * once if live, else at its own deadline.
   */
  Turn enter(std::uint64_t id, const std::atomic<bool>& stop);
  /**
   * Waits until one more frame may be sent, or waiting for the sent ones is of no use. A caller
   * with frames to give thus keeps the newest. False if `stop` was set.
   */
  bool awaitRoom(const std::atomic<bool>& stop);
  /** Waiting threads check their `stop` again. */
  void wake();

  /** The frame is being sent. */
  void markSent(std::uint64_t id) { mark(id, State::Sent); }
  /** It has gone on without its answers, which may still arrive. */
  void markLate(std::uint64_t id) { mark(id, State::Late); }
  /** Gives the slot back, if the frame has one. */
  void leave(std::uint64_t id);
  /** A frame is gone that was never sent; `planned` are the parts that were planned for it. */
  void leaveUnsent(std::uint64_t id, std::vector<Rect> planned);
  /** The planned parts of frames that are gone, since the last call. */
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
  /** When the first frame arrived that has a sender. */
  std::optional<Clock::time_point> first_ ELF_GUARDED_BY(mutex_);
  /** By id. */
  std::map<std::uint64_t, State> taken_ ELF_GUARDED_BY(mutex_);
  std::vector<Rect> unseen_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
