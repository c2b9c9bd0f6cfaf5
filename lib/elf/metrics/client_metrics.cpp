// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/metrics/client_metrics.h"

#include <prometheus/text_serializer.h>

#include <functional>
#include <map>
#include <utility>

#include "elf/base/glib.h"

namespace elf {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

constexpr std::pair<FrameOutcome, const char*> kOutcomes[] = {
    {FrameOutcome::Inferred, "inferred"},
    {FrameOutcome::Partial, "partial"},
    {FrameOutcome::Unanswered, "unanswered"},
    {FrameOutcome::Skipped, "skipped"}};

constexpr std::pair<CircuitBreaker::State, const char*> kCircuits[] = {
    {CircuitBreaker::State::Closed, "closed"},
    {CircuitBreaker::State::Open, "open"},
    {CircuitBreaker::State::HalfOpen, "half_open"}};

Labels labelsOf(const ClientMetrics& client) {
  return {{"element", client.labels.element}, {"stream", client.labels.stream}};
}

Labels with(Labels labels, const char* name, std::string value) {
  labels.push_back({name, std::move(value)});
  return labels;
}

/** Collects metrics. add() adds one to the family of the last begin(). */
class Families {
 public:
  void begin(MetricType type, const char* name, const char* help) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
  }

  void add(Labels labels, double value) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    (families_.back().type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        value;
  }
  void add(Labels labels, const DurationCounts& durations) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    ClientMetric::Histogram& histogram = metric.histogram;
    for (std::size_t i = 0; i < durations.counts.size(); ++i) {
      histogram.sample_count += durations.counts[i];
      if (i == DurationCounts::kBounds.size()) break;  // the serializer adds the bucket +Inf
      ClientMetric::Bucket& bucket = histogram.bucket.emplace_back();
      bucket.cumulative_count = histogram.sample_count;
      bucket.upper_bound = DurationCounts::kBounds[i];
    }
    histogram.sample_sum = durations.seconds;
  }

  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
};

// --- frames

void addFrames(Families& families, std::span<const ClientMetrics> clients) {
  families.begin(MetricType::Counter, "elf_client_frames_total", "Frames that went on, by outcome");
  for (const ClientMetrics& client : clients)
    for (const auto& [outcome, name] : kOutcomes)
      families.add(with(labelsOf(client), "outcome", name),
                   static_cast<double>(client.work.frames.of(outcome)));
  families.begin(MetricType::Histogram, "elf_client_frame_delay_seconds",
                 "Time until a frame went on, from capture if live, else from entry");
  for (const ClientMetrics& client : clients)
    families.add(labelsOf(client), client.work.frames.delay);
  families.begin(MetricType::Histogram, "elf_client_box_age_seconds",
                 "Time from the frame that the boxes are based on to the frame that shows them");
  for (const ClientMetrics& client : clients)
    families.add(labelsOf(client), client.work.frames.age);
}

// --- counts

struct Count {
  const char* name;
  const char* help;
  double (*of)(const ClientWork& work);
};

template <auto member>
double part(const ClientWork& work) {
  return static_cast<double>(work.parts.*member);
}

constexpr Count kCounts[] = {
    {"elf_client_late_answers_total", "Frames whose answers arrived after they had gone on",
     [](const ClientWork& work) { return static_cast<double>(work.answers.late); }},
    {"elf_client_parts_sent_total", "Requests for parts, with retries and hedges",
     part<&OffloadStats::partsSent>},
    {"elf_client_parts_failed_total", "Parts that no server could answer",
     part<&OffloadStats::partsFailed>},
    {"elf_client_parts_late_total", "Parts that were not answered by the deadline",
     part<&OffloadStats::partsLate>},
    {"elf_client_parts_retried_total", "Requests made because another one had failed",
     part<&OffloadStats::partsRetried>},
    {"elf_client_parts_hedged_total", "Requests made because another one was late",
     part<&OffloadStats::partsHedged>},
    {"elf_client_hedges_won_total", "Late parts that the second server answered first",
     part<&OffloadStats::hedgesWon>},
    {"elf_client_sent_bytes_total", "Bytes of sent pictures, of all requests",
     part<&OffloadStats::bytesSent>},
    {"elf_client_whole_bytes_total", "Bytes that whole frames would have had",
     [](const ClientWork& work) { return static_cast<double>(work.pictures.wholeBytes); }},
    {"elf_client_sent_pixels_total", "Sent pixels, of all requests",
     part<&OffloadStats::pixelsSent>},
};

void addCounts(Families& families, std::span<const ClientMetrics> clients) {
  for (const Count& count : kCounts) {
    families.begin(MetricType::Counter, count.name, count.help);
    for (const ClientMetrics& client : clients)
      families.add(labelsOf(client), count.of(client.work));
  }
}

// --- servers

/** Calls `visit` with each server of each client, and the labels of its series. */
void forEachServer(std::span<const ClientMetrics> clients,
                   const std::function<void(Labels, const ServerReport&)>& visit) {
  for (const ClientMetrics& client : clients) {
    std::map<std::string, int> mentions;
    for (const ServerReport& server : client.work.servers) {
      const std::string url = validUtf8(server.state.url);
      visit(with(with(labelsOf(client), "server", url), "mention", std::to_string(mentions[url]++)),
            server);
    }
  }
}

struct ServerFigure {
  MetricType type;
  const char* name;
  const char* help;
  double (*of)(const ServerState& server);
};

constexpr ServerFigure kServerFigures[] = {
    {MetricType::Counter, "elf_client_server_answers_total",
     "Answers that the cost was learned from, of all streams, probes too",
     [](const ServerState& server) { return static_cast<double>(server.answers); }},
    {MetricType::Gauge, "elf_client_server_outstanding_seconds",
     "Work that the server has not answered yet, of all streams, and until it may be asked again",
     [](const ServerState& server) { return server.busy; }},
    {MetricType::Gauge, "elf_client_server_fixed_cost_seconds", "Time for any part",
     [](const ServerState& server) { return server.cost.a; }},
    {MetricType::Gauge, "elf_client_server_pixel_cost_seconds",
     "Time for each pixel of a part: the server",
     [](const ServerState& server) { return server.cost.b; }},
    {MetricType::Gauge, "elf_client_server_byte_cost_seconds",
     "Time for each byte of a part: the link",
     [](const ServerState& server) { return server.cost.c; }},
};

void addServers(Families& families, std::span<const ClientMetrics> clients) {
  families.begin(MetricType::Gauge, "elf_client_server_state",
                 "1 for the present state of the server; it gets parts while closed");
  forEachServer(clients, [&](const Labels& labels, const ServerReport& server) {
    for (const auto& [circuit, name] : kCircuits)
      families.add(with(labels, "state", name), server.circuit == circuit ? 1 : 0);
  });
  for (const ServerFigure& figure : kServerFigures) {
    families.begin(figure.type, figure.name, figure.help);
    forEachServer(clients, [&](Labels labels, const ServerReport& server) {
      families.add(std::move(labels), figure.of(server.state));
    });
  }
}

}  // namespace

std::string metricsText(std::span<const ClientMetrics> clients) {
  Families families;
  addFrames(families, clients);
  addCounts(families, clients);
  addServers(families, clients);
  return families.text();
}

}  // namespace elf
