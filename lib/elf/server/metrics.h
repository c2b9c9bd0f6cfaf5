// SPDX-License-Identifier: LGPL-2.1-or-later
// A server's counts for each model: for Prometheus, the protocol's statistics and the status page.
// Not installed.
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
#include <memory>
#include <string>
#include <vector>

#include "elf/base/mutex.h"

namespace elf {

/** The times of a request, each >= 0. */
struct InferTimes {
  /** Since its arrival: waiting for a worker, and for requests that run before it or with it. */
  std::chrono::microseconds queue{};
  /** Reading it and decoding its picture. */
  std::chrono::microseconds decode{};
  /** Running the model. In a batch: its share. */
  std::chrono::microseconds infer{};
  /** Writing the answer. */
  std::chrono::microseconds encode{};
  /** The whole request. */
  std::chrono::microseconds total{};
};

/** A count and a total time. */
struct Tally {
  std::uint64_t count = 0;
  std::chrono::microseconds time{};
};

/** The counts for the protocol's statistics. */
struct ModelTallies {
  Tally success, fail, queue, decode, infer, encode;
  /** Runs of the model that gave an answer, by number of pictures. Some of these may have
   * failed. */
  std::map<std::size_t, Tally> runs;
  /** Zero before the first inferred request. */
  std::chrono::system_clock::time_point last;
  /** The number of requests answered with each HTTP status. */
  std::map<unsigned, std::uint64_t> codes;
};

/** One of the last inferred requests. */
struct RecentAnswer {
  std::chrono::steady_clock::time_point at;
  InferTimes times;
  /** Requests without a worker at that time. */
  std::size_t waiting = 0;
};

class ModelMetrics;

/** Counts since the start. All functions may be called from any thread. */
class ServerMetrics {
 public:
  ServerMetrics();
  ~ServerMetrics();

  /** The counts of the model of that name, which live as long as this. */
  ModelMetrics& of(const std::string& model);
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
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<ModelMetrics>> models_ ELF_GUARDED_BY(mutex_);
};

/** The counts of one model in `all`, which must outlive it. All functions may be called from any
 * thread. */
class ModelMetrics {
 public:
  static constexpr std::size_t kRecent = 120;

  ModelMetrics(ServerMetrics& all, const std::string& model);

  /** A request for inference was answered or refused with this HTTP status. */
  void answered(unsigned status, const InferTimes& times);
  /** The model ran on `pictures` at once in the time `took`, and answered. */
  void ran(std::size_t pictures, std::chrono::microseconds took);
  /** Adds to the number of requests without a worker. */
  void addWaiting(double requests) { waiting_.Increment(requests); }
  ModelTallies tallies() const;
  /** At most kRecent, the oldest first. */
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
  /** Counts that Prometheus does not get: times of whole requests and of writing answers, runs by
   * number of pictures. */
  ModelTallies others_ ELF_GUARDED_BY(mutex_);
  std::deque<RecentAnswer> recent_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
