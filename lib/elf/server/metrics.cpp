// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/metrics.h"

#include <prometheus/text_serializer.h>

#include "elf/base/seconds.h"

namespace elf {

namespace {

constexpr unsigned kOk = 200;

/** Seconds: from a small part on a fast server to a whole frame on a slow one. */
const prometheus::Histogram::BucketBoundaries& buckets() {
  static const prometheus::Histogram::BucketBoundaries kBuckets{
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
  return kBuckets;
}

prometheus::Family<prometheus::Histogram>& histograms(prometheus::Registry& registry,
                                                      const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

/** Prometheus keeps the sum in seconds. */
Tally tallyOf(const prometheus::Histogram& histogram) {
  const auto seen = histogram.Collect().histogram;
  return {seen.sample_count, std::chrono::round<std::chrono::microseconds>(
                                 std::chrono::duration<double>(seen.sample_sum))};
}

}  // namespace

ServerMetrics::ServerMetrics()
    : requests_(prometheus::BuildCounter()
                    .Name("elf_requests_total")
                    .Help("Requests for inference that were answered, by HTTP status")
                    .Register(registry_)),
      runs_(prometheus::BuildCounter()
                .Name("elf_runs_total")
                .Help("Times that the model ran; a batch of requests counts once")
                .Register(registry_)),
      waiting_(prometheus::BuildGauge()
                   .Name("elf_requests_waiting")
                   .Help("Requests that no worker has taken yet")
                   .Register(registry_)),
      queue_(histograms(
          registry_, "elf_queue_seconds",
          "What a request waited for a worker, and for others that run before it or with it")),
      decode_(histograms(registry_, "elf_decode_seconds", "Reading and decoding a picture")),
      infer_(
          histograms(registry_, "elf_infer_seconds", "Running the model; of a batch its share")) {}

ServerMetrics::~ServerMetrics() = default;

ModelMetrics& ServerMetrics::of(const std::string& model) {
  const MutexLock lock(mutex_);
  auto& metrics = models_[model];
  if (!metrics) metrics = std::make_unique<ModelMetrics>(*this, model);
  return *metrics;
}

std::string ServerMetrics::text() const {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

ModelMetrics::ModelMetrics(ServerMetrics& all, const std::string& model)
    : all_(all),
      model_{{"model", model}},
      runs_(all.runs_.Add(model_)),
      waiting_(all.waiting_.Add(model_)),
      queue_(all.queue_.Add(model_, buckets())),
      decode_(all.decode_.Add(model_, buckets())),
      infer_(all.infer_.Add(model_, buckets())) {}

void ModelMetrics::answered(unsigned status, const InferTimes& times) {
  prometheus::Labels labels = model_;
  labels["code"] = std::to_string(status);
  const MutexLock lock(mutex_);
  prometheus::Counter& requests = all_.requests_.Add(labels);
  requests.Increment();
  requests_[status] = &requests;
  if (status != kOk) {
    others_.fail.time += times.total;
    return;
  }
  queue_.Observe(secondsOf(times.queue));
  decode_.Observe(secondsOf(times.decode));
  infer_.Observe(secondsOf(times.infer));
  others_.success.time += times.total;
  others_.encode.time += times.encode;
  others_.last = std::chrono::system_clock::now();
  if (recent_.size() == kRecent) recent_.pop_front();
  recent_.push_back({.at = std::chrono::steady_clock::now(),
                     .times = times,
                     .waiting = static_cast<std::size_t>(waiting_.Value())});
}

void ModelMetrics::ran(std::size_t pictures, std::chrono::microseconds took) {
  runs_.Increment();
  const MutexLock lock(mutex_);
  Tally& runs = others_.runs[pictures];
  ++runs.count;
  runs.time += took;
}

ModelTallies ModelMetrics::tallies() const {
  const MutexLock lock(mutex_);
  ModelTallies tallies = others_;
  for (const auto& [status, requests] : requests_) {
    const auto count = static_cast<std::uint64_t>(requests->Value());
    tallies.codes[status] = count;
    (status == kOk ? tallies.success : tallies.fail).count += count;
  }
  tallies.queue = tallyOf(queue_);
  tallies.decode = tallyOf(decode_);
  tallies.infer = tallyOf(infer_);
  tallies.encode.count = tallies.success.count;
  return tallies;
}

std::vector<RecentAnswer> ModelMetrics::recent() const {
  const MutexLock lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

}  // namespace elf
