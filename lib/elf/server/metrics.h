// SPDX-License-Identifier: LGPL-2.1-or-later
// What a server counts, for Prometheus. Not installed.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace elf {

/** Counts for one model since the start. All functions may be called from any thread. */
class ServerMetrics {
 public:
  explicit ServerMetrics(const std::string& model);

  /** A request for inference was answered, or refused, with this HTTP status. */
  void answered(unsigned status);
  /** What a request that was inferred took, each >= 0. */
  void inferred(std::chrono::microseconds queue, std::chrono::microseconds decode,
                std::chrono::microseconds infer);

  /** In Prometheus's text format; `waiting` requests have no worker yet. */
  std::string text(std::size_t waiting);

 private:
  prometheus::Registry registry_;
  const prometheus::Labels model_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Gauge& waiting_;
  prometheus::Histogram& queue_;
  prometheus::Histogram& decode_;
  prometheus::Histogram& infer_;
};

}  // namespace elf
