// SPDX-License-Identifier: LGPL-2.1-or-later
// What all streams of a process know about the servers that they share.
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

/** The times of one request, and what the server reports about it. */
struct RequestTimes {
  /** Pixels that the model computed. */
  double pixels = 0;
  double bytes = 0;
  std::chrono::steady_clock::time_point sent;
  std::chrono::steady_clock::time_point answered;
  /** No answer had arrived by `answered`: it takes longer than that. */
  bool late = false;
  /** Waiting, and decoding with inference, as the server reports them; unset if it does not. */
  std::optional<std::chrono::microseconds> queue;
  std::optional<std::chrono::microseconds> work;
};

/**
 * One server: its cost, and the work that it still has to do. All functions may be called from any
 * thread. Its lock is held for moments, and no other lock is taken meanwhile.
 */
class SharedServer {
 public:
  /** What is known about it now. */
  struct State {
    CostModel cost;
    /** Answers that `cost` was learned from. */
    std::uint64_t answers = 0;
    /** Expected seconds of all parts that it has not answered. */
    double outstanding = 0;
  };
  State state() const;

  /** A part has been sent. Returns its expected seconds, which are outstanding until end(). */
  double begin(double pixels, double bytes);
  /** The part that was expected to take `seconds` is answered or given up. */
  void end(double seconds);

  /**
   * Learns from an answer what a part costs by itself. Time that it waited behind other parts of
   * ours does not count: its `queue`, and on the link the time until the part before it had
   * arrived. A server that does not report its queue is assumed to work off its parts one by one. A
   * report of more than the whole time is ignored. A late answer gives a lower bound, which is
   * learned only if less was expected. True if the cost model differs noticeably from what it was
   * when this was last true.
   */
  bool learn(const RequestTimes& times);

  /** Whether the caller is to probe the server. */
  enum class ProbeTurn {
    Yours,    ///< it is; endProbe() must follow
    Another,  ///< another caller does at the moment
    Done      ///< it has been probed
  };
  ProbeTurn takeProbe();
  /** After an incomplete probe, any caller may probe again. */
  void endProbe(bool complete);

 private:
  using Clock = std::chrono::steady_clock;

  mutable Mutex mutex_;
  CostEstimator cost_ ELF_GUARDED_BY(mutex_);
  /** As learn() last reported it. */
  CostModel reported_ ELF_GUARDED_BY(mutex_);
  double outstanding_ ELF_GUARDED_BY(mutex_) = 0;
  int requests_ ELF_GUARDED_BY(mutex_) = 0;
  /** The latest arrival of a part at the server, and of an answer here. */
  Clock::time_point lastArrival_ ELF_GUARDED_BY(mutex_){};
  Clock::time_point lastAnswer_ ELF_GUARDED_BY(mutex_){};
  ProbeTurn probe_ ELF_GUARDED_BY(mutex_) = ProbeTurn::Yours;
};

/**
 * The servers of a process, from their first mention on. A server that no caller holds any more is
 * kept for kKept, so that a stream may stop and start again. The first server() after that forgets
 * it: the addresses of a service may change for ever. Any thread.
 */
class ServerPool {
 public:
  using Clock = std::chrono::steady_clock;

  /** Counted from the first server() after it was released. */
  static constexpr std::chrono::minutes kKept{10};

  /** `now` is the clock; callable from any thread. */
  explicit ServerPool(std::function<Clock::time_point()> now = Clock::now);

  /**
   * The server of that model at a URL. A list of servers that names a URL several times has several
   * servers there: `mention` 0, 1, ... Never null.
   */
  std::shared_ptr<SharedServer> server(const std::string& url, const std::string& model,
                                       int mention);
  /** The URLs of all servers that are not forgotten, each once. */
  std::vector<std::string> urls() const;

 private:
  struct Entry {
    std::shared_ptr<SharedServer> server;
    /** Unset if the server was held at the last check. */
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
