// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/slots.h"

#include <algorithm>
#include <utility>

namespace elf {

void Slots::setLimits(const Limits& limits) {
  const MutexLock lock(mutex_);
  if (!limits.bounded) first_.reset();
  limits_ = limits;
  changed_.notifyAll();
}

Slots::Limits Slots::limits() const {
  const MutexLock lock(mutex_);
  return limits_;
}

void Slots::setReady() {
  const MutexLock lock(mutex_);
  limits_.ready = true;
  changed_.notifyAll();
}

bool Slots::isFull() const {
  return limits_.bounded && std::cmp_greater_equal(taken_.size(), limits_.maxInFlight);
}

bool Slots::allLate() const {
  return std::ranges::all_of(taken_, [](const auto& slot) { return slot.second == State::Late; });
}

// Frames that have only entered do not count: they wait for the caller.
bool Slots::mayBeSent() const {
  const auto count = [this](State state) ELF_REQUIRES(mutex_) {
    return std::ranges::count_if(taken_, [=](const auto& slot) { return slot.second == state; });
  };
  const auto sent = count(State::Sent);
  return !limits_.bounded || limits_.leaky || sent == 0 ||
         std::cmp_less(sent + count(State::Late), limits_.maxInFlight);
}

Slots::Turn Slots::enter(std::uint64_t id, const std::atomic<bool>& stop) {
  const Clock::time_point entered = Clock::now();
  MutexLock lock(mutex_);
  while (!stop) {
    const Clock::time_point now = Clock::now();
    // Checked again after each wait: the limits may change meanwhile.
    std::optional<Clock::time_point> until;
    if (limits_.bounded && !first_) first_ = entered;
    if (limits_.bounded && !limits_.ready && now < limits_.readyBy) {
      if (limits_.live && now >= *first_ + kGrace) return Turn::Pass;
      until = limits_.live ? std::min(*first_ + kGrace, limits_.readyBy) : limits_.readyBy;
    } else if (!isFull()) {
      taken_.emplace(id, State::Entered);
      return Turn::Go;
    } else if (limits_.leaky) {
      return Turn::Pass;
    } else if (allLate()) {
      // Otherwise a frame with a slot is on its way to the sender, which may be paused.
      if (limits_.deadline) until = entered + *limits_.deadline;
      if (limits_.live || (until && now >= *until)) return Turn::Pass;
    }
    if (until)
      changed_.waitUntil(lock, *until);
    else
      changed_.wait(lock);
  }
  return Turn::Stopped;
}

bool Slots::awaitRoom(const std::atomic<bool>& stop) {
  MutexLock lock(mutex_);
  while (!stop && !mayBeSent()) changed_.wait(lock);
  return !stop;
}

void Slots::wake() {
  const MutexLock lock(mutex_);
  changed_.notifyAll();
}

void Slots::mark(std::uint64_t id, State state) {
  const MutexLock lock(mutex_);
  const auto slot = taken_.find(id);
  if (slot != taken_.end()) slot->second = state;
  changed_.notifyAll();
}

void Slots::leave(std::uint64_t id) {
  const MutexLock lock(mutex_);
  if (taken_.erase(id) > 0) changed_.notifyAll();
}

void Slots::leaveUnsent(std::uint64_t id, std::vector<Rect> planned) {
  const MutexLock lock(mutex_);
  if (taken_.erase(id) == 0) return;
  unseen_.insert(unseen_.end(), planned.begin(), planned.end());
  changed_.notifyAll();
}

std::vector<Rect> Slots::takeUnseen() {
  const MutexLock lock(mutex_);
  return std::exchange(unseen_, {});
}

}  // namespace elf
