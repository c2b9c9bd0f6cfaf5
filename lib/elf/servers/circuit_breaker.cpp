// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/circuit_breaker.h"

#include <algorithm>
#include <utility>

#include "elf/base/seconds.h"

namespace elf {

void CircuitBreaker::countAnswer() {
  errors_ = 0;
  pause_ = kFirstPause;
}

bool CircuitBreaker::open() {
  return std::exchange(state_, State::Open) == State::Closed;
}

void CircuitBreaker::tryAgain() {
  if (state_ == State::Open) state_ = State::HalfOpen;
}

void CircuitBreaker::close() {
  state_ = State::Closed;
  errors_ = failedParts_ = 0;
}

void CircuitBreaker::closeUnprobed() {
  close();
  errors_ = kErrorsInARow - 1;
}

bool CircuitBreaker::reportOpen() {
  return !std::exchange(reported_, true);
}

bool CircuitBreaker::reportClosed() {
  if (!std::exchange(reported_, false)) return false;
  failedParts_ = 0;
  return true;
}

void CircuitBreaker::holdBack(Clock::time_point now, std::chrono::seconds time) {
  if (time.count() > 0) notBefore_ = now + std::min<std::chrono::milliseconds>(time, kLongestPause);
}

CircuitBreaker::Clock::duration CircuitBreaker::nextPause(Clock::time_point now, double share,
                                                          bool hurry) {
  const auto pause = hurry ? kFirstPause : pause_;
  if (!hurry) pause_ = std::min(2 * pause_, kLongestPause);
  return std::max(heldBack(now), durationOf(secondsOf(pause) * share));
}

}  // namespace elf
