// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether an endpoint gets parts. After M. Nygard, Release It!, 2007: an endpoint that keeps
// failing is left alone for a while, and then asked carefully.
#pragma once

#include <chrono>

namespace elf {

/**
 * The circuit breaker of one endpoint. It only keeps the state: the caller reports events, and acts
 * on what it returns. Not thread-safe.
 *
 * - Closed: the endpoint gets parts.
 * - Open: it gets none, and is asked for its health after a pause. The pause doubles from
 *   kFirstPause to kLongestPause until a part is answered well.
 * - HalfOpen: it says that it is ready; a probe shows whether it infers.
 */
class CircuitBreaker {
 public:
  using Clock = std::chrono::steady_clock;

  enum class State { Closed, Open, HalfOpen };

  static constexpr int kErrorsInARow = 3;
  static constexpr std::chrono::milliseconds kFirstPause{500};
  static constexpr std::chrono::milliseconds kLongestPause{30000};

  /** `reported`: the user does not count on the endpoint yet (reportOpen()). */
  explicit CircuitBreaker(State state = State::Closed, bool reported = false)
      : state_(state), reported_(reported) {}

  State state() const { return state_; }
  bool closed() const { return state_ == State::Closed; }

  /** Counts an error. True if open() is due: it is closed, and this was the last of
   * kErrorsInARow. */
  bool countError() { return ++errors_ >= kErrorsInARow && closed(); }
  /** Counts a part that failed. True if the user should be told that parts fail here although the
   * endpoint stays closed, as it answers others: once, until it opens or reportClosed(). */
  bool countFailedPart() { return ++failedParts_ == kErrorsInARow && closed(); }
  /** A part was answered well. */
  void countAnswer();

  /** True if it was closed. */
  bool open();
  /** The endpoint is ready: if it was open, it is half open now. */
  void tryAgain();
  /** The endpoint infers. */
  void close();
  /** The endpoint can't be probed. Its first part shows whether it infers, and opens it again if
   * not. */
  void closeUnprobed();

  /** True if the user was not yet told that the endpoint is down. */
  bool reportOpen();
  /** The same, after a good answer to a part, if the user was not yet told that it is up. */
  bool reportClosed();

  /** The endpoint asks for a pause of `time` (`Retry-After`), at most kLongestPause. */
  void holdBack(Clock::time_point now, std::chrono::seconds time);
  /** Time left of that pause; may be negative. */
  Clock::duration heldBack(Clock::time_point now) const { return notBefore_ - now; }
  /**
   * The pause before the next question about health. `share`, 0.5 to 1 and random, is how much of
   * it is kept (jitter), so that the streams of many machines do not all ask at once. `hurry`: no
   * endpoint is closed, so the pause is kFirstPause and does not grow.
   */
  Clock::duration nextPause(Clock::time_point now, double share, bool hurry);

 private:
  State state_;
  bool reported_;
  int errors_ = 0;
  /** Since it was last closed. */
  int failedParts_ = 0;
  std::chrono::milliseconds pause_ = kFirstPause;
  Clock::time_point notBefore_{};
};

}  // namespace elf
