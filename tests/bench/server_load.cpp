// SPDX-License-Identifier: LGPL-2.1-or-later
// What elf-server costs besides its model (tests/bench/README.md).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <thread>
#include <vector>

#include "elf/base/error.h"
#include "elf/base/random.h"
#include "elf/server/image_decoder.h"
#include "elf/server/local_server.h"
#include "elf/wire/infer.h"
#include "tests/bench/infer_client.h"

namespace {

using namespace elf::bench;

constexpr int kServerCore = 0;
constexpr int kWidth = 640;
constexpr int kHeight = 360;
constexpr int kWarmUp = 50;
constexpr int kRequests = 1000;
constexpr int kConnections = 16;
constexpr int kPerSecond = 500;
constexpr std::chrono::seconds kDuration{20};

/** A picture with as much to encode as a street has: slopes, edges and grain. */
Bytes jpegPart() {
  cv::Mat picture(kHeight, kWidth, CV_8UC3);
  elf::Random random(1);
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x)
      for (int c = 0; c < 3; ++c)
        picture.at<cv::Vec3b>(y, x)[c] = static_cast<std::uint8_t>(
            (x * (c + 1) + y * 2 + static_cast<int>(random.bits() % 24)) / 4 % 256);
  Bytes file;
  cv::imencode(".jpg", picture, file, {cv::IMWRITE_JPEG_QUALITY, 85});
  return file;
}

/** Milliseconds that decoding takes by itself, median. */
double decodingAlone(const Bytes& picture) {
  elf::ImageDecoder decoder;
  const elf::wire::Tensor image = elf::wire::encodedImage(picture);
  std::vector<double> times;
  for (int i = 0; i < kWarmUp + kRequests; ++i) {
    const Clock::time_point start = Clock::now();
    if (!decoder.decode(image)) throw elf::Error("the picture", "cannot be decoded");
    if (i >= kWarmUp) times.push_back(Milliseconds(Clock::now() - start).count());
  }
  return percentile(times, 0.5);
}

/** One request after the other. */
bool measureOverhead(const std::string& server, const Bytes& picture) {
  Client client(server, picture);
  std::vector<double> beyondModel, decode;
  int errors = 0;
  for (int i = 0; i < kWarmUp + kRequests; ++i) {
    const auto times = client.infer();
    if (!times) ++errors;
    if (!times || i < kWarmUp) continue;
    beyondModel.push_back(times->client - times->infer);
    decode.push_back(times->decode);
  }
  const double alone = decodingAlone(picture);
  const double median = percentile(beyondModel, 0.5);
  std::printf(
      "client - infer: median %.3f ms, 95 %% %.3f ms (%d requests, %d errors)\n"
      "decoding: at the server %.3f ms, alone %.3f ms\n"
      "overhead = client - infer - decoding alone: median %.3f ms\n",
      median, percentile(beyondModel, 0.95), kRequests, errors, percentile(decode, 0.5), alone,
      median - alone);
  return errors == 0;
}

/** Many connections, each with its share of the requests at its own times. */
bool measureRate(const std::string& server, const Bytes& picture) {
  constexpr auto kPeriod =
      std::chrono::nanoseconds(std::chrono::seconds(1)) * kConnections / kPerSecond;
  constexpr int kEach = kDuration / kPeriod;
  std::atomic<int> errors = 0;
  std::vector<std::vector<double>> latencies(kConnections);
  const Clock::time_point start = Clock::now() + std::chrono::milliseconds(100);
  std::vector<std::thread> threads;
  for (int c = 0; c < kConnections; ++c)
    threads.emplace_back([&, c] {
      Client client(server, picture);
      for (int i = 0; i < kEach; ++i) {
        const Clock::time_point due = start + kPeriod * i + kPeriod * c / kConnections;
        std::this_thread::sleep_until(due);
        if (!client.infer()) ++errors;
        latencies[static_cast<std::size_t>(c)].push_back(Milliseconds(Clock::now() - due).count());
      }
    });
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::vector<double> all;
  for (const auto& each : latencies) all.insert(all.end(), each.begin(), each.end());
  std::printf(
      "%d connections, %d requests/s wanted: %.1f requests/s held for %.1f s, %d errors;\n"
      "from when each was due: median %.2f ms, 99 %% %.2f ms, worst %.2f ms\n",
      kConnections, kPerSecond, static_cast<double>(all.size()) / seconds, seconds, errors.load(),
      percentile(all, 0.5), percentile(all, 0.99), percentile(all, 1));
  return errors == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2) {
    std::fprintf(stderr, "usage: server-load [ELF-SERVER]\n");
    return 2;
  }
  try {
    const elf::LocalServer server({.program = argc == 2 ? argv[1] : "",
                                   .arguments = {"--model", "simulated"},
                                   .core = kServerCore});
    const Bytes picture = jpegPart();
    std::printf("JPEG of %dx%d, %zu bytes, loopback; the server has core %d\n", kWidth, kHeight,
                picture.size(), kServerCore);
    const bool quiet = measureOverhead(server.url(), picture);
    return measureRate(server.url(), picture) && quiet ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "server-load: %s\n", error.what());
    return 1;
  }
}
