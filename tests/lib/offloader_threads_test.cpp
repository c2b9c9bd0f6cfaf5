// SPDX-License-Identifier: LGPL-2.1-or-later
// The offloader used from many threads at once; what ThreadSanitizer is for.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "elf/offload/offloader.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/json_length.h"
#include "tests/support/threaded_transport.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using testing::ThreadedTransport;

constexpr int kThreads = 3;
constexpr int kFrames = 150;
constexpr std::size_t kParts = 3;

/** Answers well, but for one inference in nine that fails and one in nine that never comes. */
std::optional<HttpReply> serve(const HttpRequest& request, int& count) {
  if (request.method == "GET") {
    wire::ModelMetadata metadata{.name = "hog"};
    metadata.rules.emplace().labels = {"person"};
    const std::string text = wire::encodeMetadata(metadata);
    return HttpReply{.status = 200, .body = {text.begin(), text.end()}};
  }
  const auto parsed = wire::parseRequest(joined(request.body), testing::jsonLengthOf(request));
  const bool probe = parsed.value().id.starts_with("probe");
  if (!probe && ++count % 9 == 0) return HttpReply{.error = "Connection reset"};
  if (!probe && count % 9 == 5) return std::nullopt;
  Detection detection;
  detection.box = {1, 2, 30, 40};
  const wire::Message message = wire::encode(wire::InferResponse{
      .model = "hog", .id = parsed.value().id, .outputs = wire::encodeDetections({{detection}})});
  return HttpReply{
      .status = 200, .body = message.body, .jsonLength = std::to_string(*message.jsonLength)};
}

struct CountingListener : OffloadListener {
  void onReady() override {
    ++ready;
    ready.notify_all();
  }
  void onCostSample(const CostSample& sample) override { EXPECT_FALSE(sample.url.empty()); }
  void onProbeFailed(const std::string& why) override { EXPECT_FALSE(why.empty()); }
  void onServerDown(const ServerDown& down) override {
    EXPECT_FALSE(down.why.empty());
    EXPECT_GE(down.left, 0);
  }
  void onServerUp(const std::string& url) override { EXPECT_FALSE(url.empty()); }
  void onPartsFail(const std::string& why) override { EXPECT_FALSE(why.empty()); }
  void onServerSilent(const std::string&, std::chrono::seconds) override { ADD_FAILURE(); }
  void onServersIgnored(const std::string&) override { ADD_FAILURE(); }
  void onModelMissing(const std::string&, const std::string&) override { ADD_FAILURE(); }
  std::atomic<int> ready = 0;
};

/** One frame's callbacks: how often each came. */
struct Frame {
  std::atomic<int> calls = 0, late = 0;
};

class OffloaderInThreads : public ::testing::Test {
 protected:
  OffloaderInThreads()
      : transport_([this](const HttpRequest& request) { return serve(request, served_); }),
        offloader_(settings(), pool_, transport_.client, listener_),
        frames_(kThreads * kFrames) {
    offloader_.start();
  }
  ~OffloaderInThreads() override { transport_.stop(); }

  static OffloadSettings settings() {
    return {.servers = {"http://a", "http://b", "http://a"}, .model = "hog", .hedging = 0.5};
  }

  void sendFrames(int thread) {
    std::vector<Part> parts(kParts);
    for (std::size_t i = 0; i < kParts; ++i) {
      parts[i].rect = {0, 0, 100, 100};
      parts[i].server = static_cast<int>(i);
    }
    const wire::Tensor picture = wire::encodedImage(std::vector<std::uint8_t>(100, 7));
    for (int i = 0; i < kFrames; ++i) {
      Frame& frame = frames_[static_cast<std::size_t>(thread * kFrames + i)];
      const auto done = [this, &frame](const std::vector<PartAnswer>& answers) {
        EXPECT_EQ(answers.size(), kParts);
        ++frame.calls;
        ++answered_;
        answered_.notify_all();
      };
      const auto late = [&frame](const std::vector<PartAnswer>& answers) {
        EXPECT_EQ(answers.size(), kParts);
        EXPECT_EQ(++frame.late, 1);
        EXPECT_EQ(frame.calls, 0) << "it has been done already";
      };
      const auto ticket = offloader_.begin(
          static_cast<std::uint64_t>(i), 1, {100, 100}, parts, transport_.now() + 5ms, done, {},
          i % 3 == 0 ? Offloader::Answered(late) : Offloader::Answered());
      for (std::size_t part = 0; part + 1 < kParts; ++part) offloader_.send(ticket, part, picture);
      if (i % 2 == 0)
        offloader_.send(ticket, kParts - 1, picture);
      else
        offloader_.fail(ticket, kParts - 1, "not encoded");
    }
  }

  /** Runs the senders, and `meanwhile` again and again until they are done. */
  template <typename Meanwhile>
  void run(Meanwhile meanwhile) {
    std::atomic<bool> sending = true;
    std::thread other([&] {
      while (sending) meanwhile();
    });
    std::vector<std::thread> senders;
    for (int i = 0; i < kThreads; ++i) senders.emplace_back([this, i] { sendFrames(i); });
    for (std::thread& sender : senders) sender.join();
    sending = false;
    other.join();
  }

  int served_ = 0;
  CountingListener listener_;
  ThreadedTransport transport_;
  ServerPool pool_;
  Offloader offloader_;
  std::vector<Frame> frames_;
  std::atomic<int> answered_ = 0;
};

TEST_F(OffloaderInThreads, EveryFrameIsCalledBackOnce) {
  run([this] {
    EXPECT_EQ(offloader_.capacity().servers.size(), 3U);
    EXPECT_LT(offloader_.bestServer({100, 100}), 3);
    offloader_.ready();
    offloader_.stats();
  });
  for (int now = answered_; now < kThreads * kFrames; now = answered_) answered_.wait(now);
  listener_.ready.wait(0);
  transport_.stop();
  for (const Frame& frame : frames_) EXPECT_EQ(frame.calls, 1);
  EXPECT_EQ(listener_.ready, 1);
  EXPECT_GT(offloader_.stats().partsSent, 0U);
}

TEST_F(OffloaderInThreads, AbandonedFramesAreCalledBackOnceAtMost) {
  run([this] { offloader_.abandonAll(); });
  offloader_.abandonAll();
  transport_.stop();
  for (const Frame& frame : frames_) EXPECT_LE(frame.calls, 1);
}

TEST_F(OffloaderInThreads, OtherStreamsComeAndGoOnTheSameServers) {
  run([this] {
    int served = 0;
    CountingListener listener;
    ThreadedTransport transport(
        [&served](const HttpRequest& request) { return serve(request, served); });
    Offloader other(settings(), pool_, transport.client, listener);
    other.start();
    Part part;
    part.rect = {0, 0, 100, 100};
    part.server = other.bestServer(part.rect.size());
    const auto ticket = other.begin(0, 1, {100, 100}, {&part, 1}, transport.now() + 5ms,
                                    [](const std::vector<PartAnswer>&) {});
    other.send(ticket, 0, wire::encodedImage(std::vector<std::uint8_t>(100, 7)));
    EXPECT_EQ(other.capacity().servers.size(), 3U);
    transport.stop();
  });
  for (int now = answered_; now < kThreads * kFrames; now = answered_) answered_.wait(now);
  transport_.stop();
  for (const ServerState& server : offloader_.capacity().servers) EXPECT_EQ(server.busy, 0);
}

}  // namespace
}  // namespace elf
