// SPDX-License-Identifier: LGPL-2.1-or-later
// What all streams of a process know together of the servers that they share.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/capacity/cost_estimator.h"

namespace elf {

/** One request: when it was under way, and what the server says of it. */
struct RequestTimes {
  /** That the model computed. */
  double pixels = 0;
  double bytes = 0;
  std::chrono::steady_clock::time_point sent;
  std::chrono::steady_clock::time_point answered;
  /** Until `answered` there was no answer: it takes longer than that. */
  bool late = false;
  /** The server's own account of waiting, and of decoding and inference; unset where it has none.
   */
  std::optional<std::chrono::microseconds> queue;
  std::optional<std::chrono::microseconds> work;
};

/**
 * One server: what it costs, and what it still has to do. All functions may be called from any
 * thread; its lock is held for moments, and no other is taken while it is.
 */
class SharedServer {
 public:
  /** What is known of it now. */
  struct State {
    CostModel cost;
    /** Learned from so many answers. */
    std::uint64_t answers = 0;
    /** Expected seconds of all parts that it has not answered. */
    double outstanding = 0;
  };
  State state() const;

  /** A part has been sent. Returns its expected seconds, which are outstanding until end(). */
  double begin(double pixels, double bytes);
  /** The part that was expected to take so many seconds is answered, or given up. */
  void end(double seconds);

  /**
   * Learns from an answer what a part costs by itself. What it waited behind other parts of ours
   * does not count: its `queue`, and on the way to the server the time until the part before it had
   * arrived. A server that doesn't tell how long it queued is taken to work off its parts one by
   * one. An account of more than the whole time is none. Of a late answer, what it took at least is
   * learned where less was expected. True where the cost model differs noticeably from what it was
   * when this was last true.
   */
  bool learn(const RequestTimes& times);

  /** Whether the caller is to probe the server. */
  enum class ProbeTurn {
    Yours,    ///< it is; endProbe() must follow
    Another,  ///< somebody else does at the moment
    Done      ///< it has been probed
  };
  ProbeTurn takeProbe();
  /** A probe that is not complete is anybody's again. */
  void endProbe(bool complete);

 private:
  using Clock = std::chrono::steady_clock;

  mutable Mutex mutex_;
  CostEstimator cost_ ELF_GUARDED_BY(mutex_);
  /** As learn() last reported it. */
  CostModel reported_ ELF_GUARDED_BY(mutex_);
  double outstanding_ ELF_GUARDED_BY(mutex_) = 0;
  int requests_ ELF_GUARDED_BY(mutex_) = 0;
  /** Of the last part: at the server, and of its answer here. */
  Clock::time_point lastArrival_ ELF_GUARDED_BY(mutex_){};
  Clock::time_point lastAnswer_ ELF_GUARDED_BY(mutex_){};
  ProbeTurn probe_ ELF_GUARDED_BY(mutex_) = ProbeTurn::Yours;
};

/**
 * The servers of a process, from their first mention on. What is known of one that nobody holds any
 * more is kept for kKept, so that a stream may stop and start again, and forgotten by the first
 * server() after that: the addresses of a service may change for ever. Any thread.
 */
class ServerPool {
 public:
  using Clock = std::chrono::steady_clock;

  /** From the first server() after it was let go. */
  static constexpr std::chrono::minutes kKept{10};

  /** `now` is the clock; callable from any thread. */
  explicit ServerPool(std::function<Clock::time_point()> now = Clock::now);

  /**
   * The server of that model at a URL; a list of servers that mentions a URL several times has
   * several servers there, `mention` 0, 1, ... Never null.
   */
  std::shared_ptr<SharedServer> server(const std::string& url, const std::string& model,
                                       int mention);
  /** Of all that are not forgotten, each once. */
  std::vector<std::string> urls() const;

 private:
  struct Entry {
    std::shared_ptr<SharedServer> server;
    /** Unset as long as it was held when it was last looked. */
    std::optional<Clock::time_point> letGo;
  };

  void forget() ELF_REQUIRES(mutex_);

  const std::function<Clock::time_point()> now_;
  mutable Mutex mutex_;
  /** By URL, model and mention. */
  std::map<std::tuple<std::string, std::string, int>, Entry> servers_ ELF_GUARDED_BY(mutex_);
};

using ServerPoolPtr = std::shared_ptr<ServerPool>;

}  // namespace elf
