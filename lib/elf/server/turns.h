// SPDX-License-Identifier: LGPL-2.1-or-later
// The order in which the waiting requests of a model run. Not installed.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "elf/server/infer_job.h"

namespace elf {

/**
 * Shares the time of a model's workers equally between the streams that have requests. A stream
 * that asks for less than its share waits for the request that runs, and not for the queue of a
 * busy stream. What a stream leaves unused is shared by the others, and not saved up. The requests
 * of one stream stay in the order of their arrival.
 *
 * After P. Goyal, H. Vin and H. Cheng, Start-time Fair Queueing, 1996, with equal weights. The cost
 * of a request is the time that it took; until that is known, a running one counts as the last one
 * of its stream.
 *
 * One thread at a time.
 */
class Turns {
 public:
  using Cost = std::chrono::nanoseconds;

  /** How many requests wait. */
  std::size_t size() const { return size_; }

  void put(InferJob job);
  /**
   * Takes up to `count` requests that may run as a batch: that of the stream whose turn it is, what
   * else waits of this stream, then of the next one. Parts of one frame so stay together. Call
   * ended() for each.
   */
  std::vector<InferJob> take(std::size_t count);
  /** A request that was taken from `stream` has used a worker for `cost`. */
  void ended(const std::string& stream, Cost cost);

  /** Removes the last request of the stream with the most, if `stream` has at least two less. */
  std::optional<InferJob> makeRoomFor(const std::string& stream);
  std::vector<InferJob> removeAbandoned();
  std::vector<InferJob> removeAll();

 private:
  struct Stream {
    std::deque<InferJob> waiting;
    /** Requests that were taken and have not ended. */
    int running = 0;
    /** The virtual time up to which it has had its share, without the running requests. */
    Cost served{};
    /** Of its last request. */
    Cost lastCost{};

    /** The virtual time at which its next request starts. */
    Cost start() const { return served + running * lastCost; }
    bool idle() const { return waiting.empty() && running == 0; }
  };
  using Streams = std::map<std::string, Stream>;

  /** The stream whose turn it is. At least one must wait. */
  Stream& next();
  InferJob takeFrom(Stream& stream);
  void forgetIdle();

  Streams streams_;
  std::size_t size_ = 0;
  /** The virtual time: the largest start of a request that was taken. */
  Cost now_{};
};

}  // namespace elf
