// SPDX-License-Identifier: LGPL-2.1-or-later
// What a server counts of each model: for Prometheus, as the protocol's statistics, and for its
// page. Not installed.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "elf/base/mutex.h"

namespace elf {

/** What a request took, each >= 0. */
struct InferTimes {
  /** From its arrival on: for a worker, and for others that run before it or with it. */
  std::chrono::microseconds queue{};
  /** Reading it and decoding its picture. */
  std::chrono::microseconds decode{};
  /** Running the model; of a batch its share. */
  std::chrono::microseconds infer{};
  /** Writing the answer. */
  std::chrono::microseconds encode{};
  /** All of it. */
  std::chrono::microseconds total{};
};

/** How often, and how long altogether. */
struct Tally {
  std::uint64_t count = 0;
  std::chrono::microseconds time{};
};

/** What the protocol's statistics are made of. */
struct ModelTallies {
  Tally success, fail, queue, decode, infer, encode;
  /** Runs of the model that gave an answer, by how many pictures each was for, of which some may
   * have failed. */
  std::map<std::size_t, Tally> runs;
  /** Unset, zero, before the first request that was inferred. */
  std::chrono::system_clock::time_point last;
  /** How many requests were answered with each HTTP status. */
  std::map<unsigned, std::uint64_t> codes;
};

/** One of the last requests that were inferred. */
struct RecentAnswer {
  std::chrono::steady_clock::time_point at;
  InferTimes times;
  /** Requests that had no worker then. */
  std::size_t waiting = 0;
};

class ModelMetrics;

/** Counts since the start. All functions may be called from any thread. */
class ServerMetrics {
 public:
  ServerMetrics();

  /** In Prometheus's text format. */
  std::string text() const;

 private:
  friend class ModelMetrics;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Counter>& runs_;
  prometheus::Family<prometheus::Gauge>& waiting_;
  prometheus::Family<prometheus::Histogram>& queue_;
  prometheus::Family<prometheus::Histogram>& decode_;
  prometheus::Family<prometheus::Histogram>& infer_;
};

/** What `all`, which outlives it, counts of one model. All functions may be called from any thread.
 */
class ModelMetrics {
 public:
  static constexpr std::size_t kRecent = 120;

  ModelMetrics(ServerMetrics& all, const std::string& model);

  /** A request for inference was answered, or refused, with this HTTP status. */
  void answered(unsigned status, const InferTimes& times);
  /** The model ran on so many pictures at once, for so long, and answered. */
  void ran(std::size_t pictures, std::chrono::microseconds took);
  /** So many requests have no worker yet. */
  void setWaiting(std::size_t requests) { waiting_.Set(static_cast<double>(requests)); }
  ModelTallies tallies() const;
  /** At most kRecent of them, the oldest first. */
  std::vector<RecentAnswer> recent() const;

 private:
  ServerMetrics& all_;
  const prometheus::Labels model_;
  prometheus::Counter& runs_;
  prometheus::Gauge& waiting_;
  prometheus::Histogram& queue_;
  prometheus::Histogram& decode_;
  prometheus::Histogram& infer_;
  mutable Mutex mutex_;
  /** By HTTP status. */
  std::map<unsigned, prometheus::Counter*> requests_ ELF_GUARDED_BY(mutex_);
  /** What Prometheus is not told: times of requests as a whole and of writing answers, runs by
   * their pictures. */
  ModelTallies others_ ELF_GUARDED_BY(mutex_);
  std::deque<RecentAnswer> recent_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
