// SPDX-License-Identifier: LGPL-2.1-or-later
// A stream whose frames enter, are answered, are late, are lost and are abandoned at the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "elf/base/blocks.h"
#include "elf/stream/stream.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/fake_end.h"
#include "tests/support/json_length.h"
#include "tests/support/silent_listener.h"
#include "tests/support/threaded_transport.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using testing::GreyPixels;
using testing::ThreadedTransport;

constexpr Size kFrame{160, 120};

/** Answers in an order of chance; now and then with an error, with many boxes, or never. */
std::optional<HttpReply> answer(const HttpRequest& request) {
  static std::minstd_rand random;  // of the transport's thread
  if (request.method == "GET") {
    wire::ModelMetadata metadata;
    metadata.name = "hog";
    metadata.platform = "elf";
    metadata.rules.emplace().labels = {"person"};
    const std::string body = wire::encodeMetadata(metadata);
    return HttpReply{.status = 200, .body = {body.begin(), body.end()}};
  }
  switch (random() % 16) {
    case 0:
      return HttpReply{.status = 500};
    case 1:
      return std::nullopt;
    default:
      break;
  }
  const auto sent =
      wire::parseRequest(joined(request.body), testing::jsonLengthOf(request)).value();
  wire::InferResponse response;
  response.model = "hog";
  response.id = sent.id;
  std::vector<Detection> found(random() % 32 == 0 ? 200 : 3);
  float x = 0;
  for (Detection& detection : found) {
    detection.box = {x, 10, x + 3, 30};
    detection.score = 1;
    x = x < 150 ? x + 3 : 0;
  }
  response.outputs = wire::encodeDetections(found);
  const wire::Message message = wire::encode(response);
  return HttpReply{
      .status = 200, .body = message.body, .jsonLength = std::to_string(*message.jsonLength)};
}

class StreamThreads : public ::testing::Test, public testing::SilentListener {
 protected:
  void SetUp() override {
    pool_.server(kUrl, "hog", 0)->endProbe(true);
    sender_ = std::make_shared<FrameSender>(
        OffloadSettings{.servers = {kUrl}, .model = "hog", .localRules = {}},
        EncodingSettings{.encoding = Encoding::Jpeg}, pool_, transport_.client, *this);
    sender_->offloader().start();
    stream_->begin(RpPredictor::create("velocity"), {});
  }
  void TearDown() override {
    stream_->detach();
    transport_.stop();
  }

  void attach(int maxInFlight) {
    stream_->attach(sender_, {.bounded = true, .maxInFlight = maxInFlight, .deadline = 5ms});
  }

  /** Frames that are on their way from one thread to the next. */
  class Queue {
   public:
    void put(FrameRecord record) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return frames_.size() < 3; });
      frames_.push_back(std::move(record));
      changed_.notify_all();
    }
    void end() {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      changed_.notify_all();
    }
    std::optional<FrameRecord> take() {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ended_ || !frames_.empty(); });
      if (frames_.empty()) return std::nullopt;
      FrameRecord record = std::move(frames_.front());
      frames_.pop_front();
      changed_.notify_all();
      return record;
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<FrameRecord> frames_;
    bool ended_ = false;
  };

  static inline const std::string kUrl = "http://10.0.0.1:1";
  ServerPool pool_;
  ThreadedTransport transport_{answer};
  std::shared_ptr<FrameSender> sender_;
  const std::shared_ptr<Stream> stream_ = Stream::create();
  std::atomic<bool> stop_ = false;
};

TEST_F(StreamThreads, EachFrameGoesOnOnceAndThoseThatWereSentInOrder) {
  constexpr std::uint64_t kFrames = 1000;
  attach(4);
  Queue entered, planned;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::uint64_t> submitted, done, sent;

  std::thread entering([&] {
    for (std::uint64_t i = 0; i < kFrames; ++i) {
      std::optional<FrameRecord> record = stream_->enter(kFrame, std::nullopt, stop_);
      if (!record) break;
      stream_->predict(*record);
      if (i % 400 == 399) stream_->reset();
      entered.put(std::move(*record));
    }
    entered.end();
  });
  std::thread planning([&] {
    const PlanSettings settings;
    for (std::uint64_t i = 0; auto record = entered.take(); ++i) {
      if (i % 50 == 49) continue;  // dropped
      stream_->plan(this, *record, settings, nullptr);
      planned.put(std::move(*record));
    }
    planned.end();
  });
  std::thread submitting([&] {
    GreyPixels pixels(kFrame);
    while (auto record = planned.take()) {
      {
        const std::lock_guard lock(mutex);
        submitted.push_back(record->id);
      }
      stream_->submit(std::move(*record), pixels, transport_.now() + 5ms,
                      [&](const FrameRecordPtr& frame) {
                        EXPECT_TRUE(frame->answered);
                        const std::lock_guard lock(mutex);
                        done.push_back(frame->id);
                        if (!frame->skipped) sent.push_back(frame->id);
                        changed.notify_all();
                      });
    }
  });
  std::thread asking([&] {
    MergeSettings united{.mode = MergeMode::Nmm, .indexing = 0};
    while (!stop_) {
      stream_->setMerging(this, united);
      united.indexing = 1 - united.indexing;
      stream_->setCoverage(0.9);
      stream_->stats();
      std::this_thread::yield();
    }
  });
  entering.join();
  planning.join();
  submitting.join();
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done.size() >= submitted.size(); });
  }
  stop_ = true;
  asking.join();
  EXPECT_TRUE(std::ranges::is_sorted(sent));
  EXPECT_FALSE(sent.empty());
  std::ranges::sort(done);
  EXPECT_EQ(done, submitted);
  const Stream::Stats stats = stream_->stats();
  EXPECT_GT(stats.answers, 0U);
}

TEST_F(StreamThreads, FlushesAtAnyMomentLeaveNoSlotBehind) {
  attach(3);
  std::atomic<bool> flushing = false;
  std::thread sending([&] {
    GreyPixels pixels(kFrame);
    while (!stop_) {
      std::optional<FrameRecord> record = stream_->enter(kFrame, std::nullopt, flushing);
      if (!record) {
        std::this_thread::yield();
        continue;
      }
      stream_->predict(*record);
      stream_->submit(std::move(*record), pixels, transport_.now() + 5ms,
                      [](const FrameRecordPtr&) {});
      if (flushing || !stream_->slots().awaitRoom(flushing)) stream_->abandon();
    }
  });
  for (int i = 0; i < 300; ++i) {
    flushing = true;
    stream_->abandon();
    stream_->slots().wake();
    stream_->reset();
    std::this_thread::yield();
    flushing = false;
  }
  stop_ = flushing = true;
  stream_->slots().wake();
  sending.join();
  stream_->abandon();
  stream_->slots().setLimits({.bounded = true, .maxInFlight = 3, .leaky = true});
  std::array<std::optional<FrameRecord>, 3> all;
  const std::atomic<bool> never = false;
  for (auto& each : all) {
    each = stream_->enter(kFrame, std::nullopt, never);
    EXPECT_FALSE(each->skipped);
  }
  EXPECT_TRUE(stream_->enter(kFrame, std::nullopt, never)->skipped);
}

}  // namespace
}  // namespace elf
