// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/metrics.h"

#include <prometheus/text_serializer.h>

namespace elf {

namespace {

/** Seconds: from a small part on a fast server to a whole frame on a slow one. */
const prometheus::Histogram::BucketBoundaries& buckets() {
  static const prometheus::Histogram::BucketBoundaries kBuckets{
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
  return kBuckets;
}

prometheus::Histogram& histogram(prometheus::Registry& registry, const prometheus::Labels& model,
                                 const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(model,
                                                                                   buckets());
}

double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

ServerMetrics::ServerMetrics(const std::string& model)
    : model_{{"model", model}},
      requests_(prometheus::BuildCounter()
                    .Name("elf_requests_total")
                    .Help("Requests for inference that were answered, by HTTP status")
                    .Register(registry_)),
      waiting_(prometheus::BuildGauge()
                   .Name("elf_requests_waiting")
                   .Help("Requests that no worker has taken yet")
                   .Register(registry_)
                   .Add(model_)),
      queue_(histogram(registry_, model_, "elf_queue_seconds",
                       "From the arrival of a request until a worker takes it")),
      decode_(histogram(registry_, model_, "elf_decode_seconds", "Reading and decoding a picture")),
      infer_(histogram(registry_, model_, "elf_infer_seconds", "Running the model")) {}

void ServerMetrics::answered(unsigned status) {
  prometheus::Labels labels = model_;
  labels["code"] = std::to_string(status);
  requests_.Add(labels).Increment();
}

void ServerMetrics::inferred(std::chrono::microseconds queue, std::chrono::microseconds decode,
                             std::chrono::microseconds infer) {
  queue_.Observe(seconds(queue));
  decode_.Observe(seconds(decode));
  infer_.Observe(seconds(infer));
}

std::string ServerMetrics::text(std::size_t waiting) {
  waiting_.Set(static_cast<double>(waiting));
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace elf
