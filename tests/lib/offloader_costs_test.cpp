// SPDX-License-Identifier: LGPL-2.1-or-later
// What offloaders learn of their servers, on simulated links with a clock that is moved by hand.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "elf/base/random.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/offload/offloader.h"
#include "tests/support/simulated_network.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using testing::SimulatedNetwork;

const std::string kA = "http://10.0.0.1:1", kB = "http://10.0.0.2:2";

/** One stream: an offloader and what it is told. */
class Stream : public OffloadListener {
 public:
  Stream(SimulatedNetwork& network, ServerPool& pool, std::vector<std::string> servers = {kA, kB})
      : network_(network),
        offloader(OffloadSettings{.servers = servers, .model = "hog", .hedging = 0}, pool,
                  network.client, *this) {
    offloader.start();
  }

  /** Sends a part to `server`; it is answered when the clock is moved. */
  void send(int server, Size size, const wire::Tensor& image,
            std::optional<Transport::Clock::duration> deadline = std::nullopt) {
    Part part;
    part.rect = wholeFrame(size);
    part.server = server;
    std::optional<Transport::Clock::time_point> until;
    if (deadline) until = network_.now() + *deadline;
    const auto ticket = offloader.begin(0, 0, size, {&part, 1}, until,
                                        [this](const std::vector<PartAnswer>& answers) {
                                          answered += answers.at(0).state == AnswerState::Answered;
                                        });
    offloader.send(ticket, 0, image);
  }

  ServerState server(std::size_t index) const { return offloader.capacity().servers.at(index); }

  void onReady() override { readyAt = network_.now(); }
  void onCostSample(const CostSample& sample) override { samples.push_back(sample); }
  void onProbeFailed(const std::string& why) override { failed.push_back(why); }
  void onServerDown(const ServerDown& down) override { lost.push_back(down.why); }
  void onServerUp(const std::string&) override {}
  void onPartsFail(const std::string&) override { ADD_FAILURE(); }
  void onServerSilent(const std::string&, std::chrono::seconds) override { ADD_FAILURE(); }
  void onServersIgnored(const std::string&) override { ADD_FAILURE(); }
  void onModelMissing(const std::string&, const std::string&) override { ADD_FAILURE(); }

 private:
  SimulatedNetwork& network_;

 public:
  std::optional<Transport::Clock::time_point> readyAt;
  std::vector<CostSample> samples;
  std::vector<std::string> failed, lost;
  int answered = 0;
  Offloader offloader;
};

class OffloaderCosts : public ::testing::Test {
 protected:
  OffloaderCosts() {
    network_.servers[kA];
    network_.servers[kB];
  }

  /** A part as a video has them, to one server, and its answer within `time`. */
  void exchange(Stream& stream, int server, Transport::Clock::duration time = 5s) {
    const int side = static_cast<int>(random_.uniform(100, 400));
    const Size size{side, side};
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side * side));
    const double detail = random_.uniform();
    for (std::uint8_t& pixel : pixels)
      pixel = static_cast<std::uint8_t>(128 + 80 * detail * (random_.uniform() - 0.5));
    const ImageView view{
        .format = PixelFormat::GRAY8, .size = size, .planes = {pixels.data()}, .strides = {side}};
    stream.send(server, size,
                wire::encodedImage(encoder_.encode(view, wholeFrame(size), size, 90).value()));
    network_.advance(time);
  }

  std::unique_ptr<Stream> open(std::vector<std::string> servers = {kA, kB}) {
    return std::make_unique<Stream>(network_, pool_, std::move(servers));
  }

  SimulatedNetwork network_;
  ServerPool pool_;
  JpegEncoder encoder_;
  Random random_{1};
};

class OffloaderCostsByAccount : public OffloaderCosts, public ::testing::WithParamInterface<bool> {
 protected:
  OffloaderCostsByAccount() {
    for (auto& [url, server] : network_.servers) server.tells = GetParam();
  }
};

INSTANTIATE_TEST_SUITE_P(Account, OffloaderCostsByAccount, ::testing::Bool(),
                         [](const auto& tells) { return tells.param ? "Told" : "Untold"; });

TEST_P(OffloaderCostsByAccount, AProbeTellsASlowLinkFromASlowServerBeforeTheFirstFrame) {
  network_.servers[kA].perByte = 1e-6;  // 8 Mbit/s
  network_.servers[kB].perPixel = 4e-6;
  const auto stream = open();
  network_.advance(2s);
  ASSERT_TRUE(stream->offloader.ready());
  const CostModel a = stream->server(0).cost, b = stream->server(1).cost;
  EXPECT_NEAR(a.c, 1e-6, 5e-8);
  EXPECT_NEAR(a.b, 2e-7, 1e-7);
  EXPECT_NEAR(b.c, 0, 1e-7);
  EXPECT_NEAR(b.b, 4e-6, 2e-7);
  EXPECT_EQ(stream->server(0).answers, 3U) << "half a megabyte is for faster links";
  EXPECT_EQ(stream->server(1).answers, 4U);
}

TEST_P(OffloaderCostsByAccount, ALinkThatBecomesSlowIsTheLinkAndAServerThatBecomesSlowTheServer) {
  const auto stream = open();
  network_.advance(1s);
  for (int i = 0; i < 30; ++i)
    for (const int server : {0, 1}) exchange(*stream, server);
  network_.servers[kA].perByte = 2e-6;
  network_.servers[kB].perPixel = 2e-6;
  for (int i = 0; i < 40; ++i)
    for (const int server : {0, 1}) exchange(*stream, server);
  const CostModel a = stream->server(0).cost, b = stream->server(1).cost;
  // Without an account nearly all of it is found where it belongs, with one all.
  EXPECT_NEAR(a.c, 2e-6, GetParam() ? 2e-8 : 4e-7);
  EXPECT_NEAR(a.b, 2e-7, GetParam() ? 2e-9 : 1e-7);
  EXPECT_NEAR(b.b, 2e-6, GetParam() ? 6e-8 : 2e-7);
  EXPECT_NEAR(b.c, 1e-8, GetParam() ? 1e-9 : 4e-7);
}

TEST_F(OffloaderCosts, AServerTooSlowForTheDeadlineIsKnownToBe) {
  const auto stream = open();
  network_.advance(1s);
  for (int i = 0; i < 24; ++i) exchange(*stream, 0);
  const Probe part = makeProbes({}, encoder_).back();
  const double fast = stream->server(0).cost.seconds(part.size.area());
  network_.servers[kA].perRequest = 1.5;
  int late = 0;
  // It shows each time that it infers, and is forgiven.
  for (; late < 24 && stream->server(0).cost.seconds(part.size.area()) < 10 * fast; ++late) {
    stream->send(0, part.size, part.image, 1s);
    network_.advance(40s);
    ASSERT_TRUE(stream->server(0).healthy);
  }
  EXPECT_LE(late, 13) << "half of what is remembered";
  const auto sample = std::ranges::find(stream->samples, true, &CostSample::late);
  ASSERT_NE(sample, stream->samples.end());
  EXPECT_EQ(sample->url, kA);
  EXPECT_GE(sample->roundTrip, ServerSet::kSilence);
  EXPECT_EQ(stream->offloader.bestServer(part.size), 1);
}

TEST_F(OffloaderCosts, AServerOfSecondsForAMegapixelIsProbedWithinASecond) {
  network_.servers[kA] = {.latency = 0.05, .perByte = 1e-6, .perRequest = 0.02, .perPixel = 4e-6};
  const auto begun = network_.now();
  const auto stream = open();
  network_.advance(5s);
  EXPECT_LT(stream->readyAt.value() - begun, 1s);
}

TEST_F(OffloaderCosts, ProbesCountAsNoParts) {
  const auto stream = open();
  network_.advance(1s);
  ASSERT_TRUE(stream->offloader.ready());
  EXPECT_EQ(network_.servers[kA].requests, 5);
  const OffloadStats stats = stream->offloader.stats();
  EXPECT_EQ(stats.partsSent, 0U);
  EXPECT_EQ(stats.bytesSent, 0U);
  EXPECT_EQ(stats.pixelsSent, 0);
  ASSERT_EQ(stream->samples.size(), 8U);
  for (const CostSample& sample : stream->samples) EXPECT_TRUE(sample.probe);
}

TEST_F(OffloaderCosts, AServerThatTakesOnlyPixelsIsProbedWithThose) {
  network_.servers[kA].onlyRaw = true;
  network_.servers[kA].perPixel = 4e-6;
  const auto stream = open();
  network_.advance(2s);
  ASSERT_TRUE(stream->offloader.ready());
  EXPECT_TRUE(stream->failed.empty());
  EXPECT_EQ(stream->server(0).answers, 4U);
  EXPECT_NEAR(stream->server(0).cost.b, 4e-6, 2e-7);
}

TEST_F(OffloaderCosts, AServerWhoseProbeFailsIsUsedAndHasOneErrorMore) {
  network_.servers[kA].status = 500;
  const auto stream = open({kA});
  network_.advance(100ms);
  ASSERT_TRUE(stream->offloader.ready());
  ASSERT_EQ(stream->failed.size(), 1U);
  EXPECT_TRUE(stream->failed[0].starts_with(kA));
  EXPECT_TRUE(stream->server(0).healthy);
  EXPECT_EQ(stream->server(0).cost, CostModel());
  // Two more errors leave it out.
  exchange(*stream, 0, 100ms);
  EXPECT_TRUE(stream->lost.empty());
  exchange(*stream, 0, 100ms);
  EXPECT_EQ(stream->lost.size(), 1U);
}

TEST_F(OffloaderCosts, AProbeThatFailsIsMadeOnceMore) {
  network_.servers[kA].status = 500;
  const auto stream = open({kA});
  network_.advance(100ms);
  ASSERT_EQ(stream->failed.size(), 1U);
  network_.servers[kA].status = 200;
  network_.advance(ServerSet::kFirstPause);
  network_.advance(1s);
  EXPECT_EQ(stream->server(0).answers, 4U);
  EXPECT_TRUE(stream->lost.empty());
}

TEST_F(OffloaderCosts, AProbeThatFailsTwiceIsLeftAtThat) {
  network_.servers[kA].status = 500;
  const auto stream = open({kA});
  network_.advance(10s);
  EXPECT_EQ(stream->failed.size(), 2U);
  EXPECT_EQ(network_.servers[kA].requests, 2);
  EXPECT_TRUE(stream->server(0).healthy);
}

TEST_F(OffloaderCosts, AServerThatNeverAnswersItsProbeHoldsNothingUp) {
  network_.servers[kA].status = 0;
  const auto begun = network_.now();
  const auto stream = open();
  network_.advance(5s);
  EXPECT_LE(stream->readyAt.value() - begun, ServerSet::kQuestionTimeout + 10ms);
  EXPECT_EQ(stream->failed.size(), 2U);
}

TEST_F(OffloaderCosts, AServerThatIsBackIsProbedWhereItWasNotBefore) {
  network_.servers[kA].status = 500;
  const auto stream = open({kA});
  network_.advance(1s);
  ASSERT_EQ(stream->failed.size(), 2U);
  exchange(*stream, 0, 200ms);
  ASSERT_EQ(stream->lost.size(), 1U);
  network_.servers[kA].status = 200;
  network_.advance(10s);
  EXPECT_TRUE(stream->server(0).healthy);
  EXPECT_EQ(stream->server(0).answers, 4U);
}

TEST_F(OffloaderCosts, TheProbeTeachesEveryMentionOfAUrl) {
  const auto stream = open({kA, kA});
  network_.advance(1s);
  EXPECT_EQ(network_.servers[kA].requests, 5);
  EXPECT_EQ(stream->server(0).answers, 4U);
  EXPECT_EQ(stream->server(1).answers, 4U);
}

TEST_F(OffloaderCosts, StreamsOfOnePoolProbeAServerOnceAndAllWaitForIt) {
  const auto one = open({kA}), other = open({kA});
  network_.advance(3ms);  // metadata has come
  EXPECT_FALSE(other->offloader.ready());
  network_.advance(1s);
  EXPECT_TRUE(one->offloader.ready());
  EXPECT_TRUE(other->offloader.ready());
  EXPECT_EQ(network_.servers[kA].requests, 5);
  EXPECT_EQ(other->server(0), one->server(0));
}

TEST_F(OffloaderCosts, AStreamTakesOverTheProbeOfOneThatGoesAway) {
  auto one = open({kA});
  const auto other = open({kA});
  network_.advance(3ms);
  one.reset();
  network_.advance(1s);
  EXPECT_TRUE(other->offloader.ready());
  EXPECT_GE(other->server(0).answers, 4U);
}

TEST_F(OffloaderCosts, WhatOneStreamLearnsTheOthersKnow) {
  const auto one = open(), other = open();
  network_.advance(1s);
  network_.servers[kA].perPixel *= 10;
  for (int i = 0; i < 30; ++i) exchange(*one, 0);
  EXPECT_EQ(other->server(0).cost, one->server(0).cost);
  EXPECT_NEAR(other->server(0).cost.b, 2e-6, 2e-7);
  EXPECT_EQ(other->offloader.bestServer({400, 250}), 1);
}

TEST_F(OffloaderCosts, TheWorkOfAllStreamsKeepsAServerBusy) {
  const auto one = open();
  const auto other = open();
  network_.advance(1s);
  const Probe part = makeProbes({}, encoder_).back();
  one->send(0, part.size, part.image);
  const double single = other->server(0).busy;
  EXPECT_NEAR(
      single,
      one->server(0).cost.seconds(part.size.area(), static_cast<double>(part.image.data.size())),
      1e-9);
  EXPECT_EQ(other->offloader.bestServer({400, 250}), 1);
  other->send(0, part.size, part.image);
  EXPECT_NEAR(one->server(0).busy, 2 * single, 1e-9);
  one->offloader.abandonAll();
  EXPECT_NEAR(one->server(0).busy, single, 1e-9);
  network_.advance(1s);
  EXPECT_EQ(one->server(0).busy, 0);
  EXPECT_EQ(other->answered, 1);
}

TEST_F(OffloaderCosts, OtherPoolsKnowNothing) {
  const auto stream = open();
  network_.advance(1s);
  ServerPool foreign;
  const Stream stranger(network_, foreign);
  EXPECT_EQ(stranger.server(0).answers, 0U);
}

TEST_F(OffloaderCosts, TheMeanOfWhatItsPartsTookIsKnownOfEachServer) {
  const auto stream = open();
  network_.advance(1s);
  const Probe part = makeProbes({}, encoder_).back();
  stream->send(0, part.size, part.image);
  EXPECT_DOUBLE_EQ(stream->server(0).bytesPerPixel,
                   static_cast<double>(part.image.data.size()) / part.size.area());
  EXPECT_EQ(stream->server(1).bytesPerPixel, ServerState().bytesPerPixel);
}

TEST_F(OffloaderCosts, AServerThatGetsJpegsIsNotHeldBackByWhatAnotherGetsRaw) {
  network_.servers[kB].perByte = 1e-6;  // 8 Mbit/s
  const auto stream = open();
  network_.advance(2s);
  const Size size{200, 200};
  const std::vector<std::uint8_t> rgb(static_cast<std::size_t>(size.area()) * 3);
  for (int i = 0; i < 10; ++i) {
    stream->send(0, size, wire::rawImage(rgb, size));
    network_.advance(1s);
    exchange(*stream, 1);
  }
  EXPECT_EQ(stream->server(0).bytesPerPixel, 3);
  EXPECT_LT(stream->server(1).bytesPerPixel, 0.5);
  // Once it gets JPEGs too, nothing is left of that.
  exchange(*stream, 0);
  EXPECT_LT(stream->server(0).bytesPerPixel, 0.5);
}

}  // namespace
}  // namespace elf
