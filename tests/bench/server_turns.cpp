// SPDX-License-Identifier: LGPL-2.1-or-later
// How long quiet streams wait beside a busy one (tests/bench/README.md).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <thread>
#include <vector>

#include "elf/base/error.h"
#include "elf/base/random.h"
#include "elf/server/local_server.h"
#include "tests/bench/infer_client.h"

namespace {

using namespace elf::bench;

constexpr int kQuiet = 9;
constexpr int kPerSecond = 5;
/** The busy stream has as many connections, each as busy as a quiet stream. */
constexpr int kBusyConnections = 20;
/** Models: 145 requests a second keep the first busy for 73 % of the time, and are too many for the
 * second. */
constexpr int kModelMs[] = {5, 10};
constexpr std::chrono::seconds kDuration{20};
constexpr double kMostSlower = 1.5;

struct Outcome {
  /** Milliseconds from the moment when a request was due. */
  std::vector<double> latencies;
  int errors = 0;
  int requests = 0;
};

Outcome& operator+=(Outcome& all, const Outcome& one) {
  all.latencies.insert(all.latencies.end(), one.latencies.begin(), one.latencies.end());
  all.errors += one.errors;
  all.requests += one.requests;
  return all;
}

/** Sends kPerSecond requests each second, each at a random time of its period. */
Outcome send(const std::string& server, const Bytes& picture, const std::string& stream,
             Clock::time_point start, std::uint64_t seed) {
  Client client(server, picture, stream);
  elf::Random random(seed);
  constexpr std::chrono::duration<double> kPeriod{1.0 / kPerSecond};
  Outcome outcome;
  for (int i = 0; i < kDuration.count() * kPerSecond; ++i) {
    const auto due =
        start + std::chrono::duration_cast<Clock::duration>(kPeriod * (i + random.uniform()));
    std::this_thread::sleep_until(due);
    ++outcome.requests;
    if (client.infer())
      outcome.latencies.push_back(Milliseconds(Clock::now() - due).count());
    else
      ++outcome.errors;
  }
  return outcome;
}

/** The quiet ones together. */
struct Streams {
  Outcome quiet, busy;
};

Streams run(const std::string& server, const Bytes& picture, int busyConnections) {
  std::vector<Outcome> outcomes(static_cast<std::size_t>(kQuiet + busyConnections));
  const Clock::time_point start = Clock::now() + std::chrono::milliseconds(200);
  std::vector<std::thread> threads;
  for (int i = 0; i < kQuiet + busyConnections; ++i)
    threads.emplace_back([&, i] {
      outcomes[static_cast<std::size_t>(i)] =
          send(server, picture, i < kQuiet ? "quiet-" + std::to_string(i) : "busy", start,
               static_cast<std::uint64_t>(i));
    });
  for (std::thread& thread : threads) thread.join();
  Streams streams;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    (i < kQuiet ? streams.quiet : streams.busy) += outcomes[i];
  return streams;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void print(const char* name, const Outcome& outcome) {
  std::printf("  %-22s mean %5.1f ms, median %5.1f ms, 95 %% %6.1f ms, %d requests, %d refused\n",
              name, mean(outcome.latencies), percentile(outcome.latencies, 0.5),
              percentile(outcome.latencies, 0.95), outcome.requests, outcome.errors);
}

/** Whether the quiet streams keep their latency. */
bool measure(const char* program, const std::filesystem::path& model, const Bytes& picture) {
  const elf::LocalServer server({.program = program, .arguments = {"--model", model.string()}});
  const Streams alone = run(server.url(), picture, 0);
  const Streams beside = run(server.url(), picture, kBusyConnections);
  print("quiet ones alone:", alone.quiet);
  print("quiet ones beside it:", beside.quiet);
  print("the busy one:", beside.busy);
  const auto& with = beside.quiet.latencies;
  const auto& without = alone.quiet.latencies;
  const double slower = mean(with) / mean(without);
  const double middle = percentile(with, 0.5) / percentile(without, 0.5);
  const double worst = percentile(with, 0.95) / percentile(without, 0.95);
  std::printf(
      "  the quiet ones take %.2f times as long in the mean, %.2f in the median, %.2f in 95 %%\n",
      slower, middle, worst);
  return std::max({slower, middle, worst}) <= kMostSlower && beside.quiet.errors == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2) {
    std::fprintf(stderr, "usage: server-turns [ELF-SERVER]\n");
    return 2;
  }
  const auto folder = std::filesystem::temp_directory_path() /
                      ("server-turns-" + std::to_string(Clock::now().time_since_epoch().count()));
  try {
    std::filesystem::create_directory(folder);
    const auto model = folder / "simulated.model";
    Bytes picture;
    cv::imencode(".jpg", cv::Mat(180, 320, CV_8UC3, cv::Scalar(90, 120, 150)), picture);
    bool good = true;
    for (const int ms : kModelMs) {
      std::ofstream(model) << "[model]\nbackend=simulated\n[simulated]\nfixed-ms=" << ms << "\n";
      std::printf("%d quiet streams of %d requests/s, a busy one of %d/s, a model of %d ms\n",
                  kQuiet, kPerSecond, kBusyConnections * kPerSecond, ms);
      good &= measure(argc == 2 ? argv[1] : "", model, picture);
    }
    std::filesystem::remove_all(folder);
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::filesystem::remove_all(folder);
    std::fprintf(stderr, "server-turns: %s\n", error.what());
    return 1;
  }
}
