// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/offloader.h"

#include <gtest/gtest.h>

#include <string>

#include "elf/offload/encoding.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/fake_transport.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using testing::FakeTransport;

const std::string kA = "http://a:1", kB = "http://b:2";
constexpr Size kFrame{400, 300};
const wire::Tensor kPicture = wire::encodedImage(std::vector<std::uint8_t>(100, 7));

HttpReply text(int status, const std::string& body) {
  return {.status = status, .body = {body.begin(), body.end()}};
}

class OffloaderTest : public ::testing::Test, public Offloader::Listener {
 protected:
  void open(std::vector<std::string> servers = {kA, kB}) {
    ModelRules local;
    local.labels = {"local"};
    // Probes have a test of their own (offloader_costs_test.cpp).
    for (const std::string& url : servers) pool_.server(url, "hog", 0)->endProbe(true);
    offloader_ = std::make_unique<Offloader>(OffloadSettings{std::move(servers), "hog", local},
                                             pool_, transport_, *this);
    offloader_->start();
  }
  void openReady() {
    open();
    for (const auto handle : transport_.to("/v2/models/hog")) transport_.reply(handle, metadata());
    ASSERT_TRUE(offloader_->ready());
  }

  /** A takes pixels and files, B only files. */
  void openReadyForRaw() {
    open();
    wire::ModelMetadata raw;
    raw.takesRaw = true;
    transport_.reply(transport_.to(kA + "/v2/models/hog").at(0),
                     text(200, wire::encodeMetadata(raw)));
    transport_.reply(transport_.to(kB + "/v2/models/hog").at(0), metadata());
  }

  static HttpReply metadata() {
    wire::ModelMetadata metadata;
    metadata.name = "hog";
    metadata.platform = "elf";
    metadata.rules.emplace().labels = {"person"};
    return text(200, wire::encodeMetadata(metadata));
  }

  static std::vector<Part> parts(std::vector<int> servers) {
    std::vector<Part> made;
    for (const int server : servers) {
      made.emplace_back();
      made.back().rect = {0, 0, 100, 100};
      made.back().server = server;
    }
    return made;
  }

  Offloader::Ticket sendFrame(std::vector<int> servers,
                              std::optional<Transport::Clock::duration> deadline = 1s,
                              const wire::Tensor& image = kPicture) {
    const auto made = parts(servers);
    std::optional<Transport::Clock::time_point> at;
    if (deadline) at = transport_.now() + *deadline;
    const auto ticket =
        offloader_->begin(5, 2, kFrame, made, at, [this](std::vector<PartAnswer> answers) {
          answers_ = std::move(answers);
          ++calls_;
        });
    for (std::size_t i = 0; i < made.size(); ++i) offloader_->send(ticket, i, image);
    return ticket;
  }

  wire::InferRequest requestOf(Transport::Handle handle) const {
    const HttpRequest& request = transport_.requests.at(handle).request;
    return wire::parseRequest(request.body, std::stoull(request.headers.at(0).second)).value();
  }

  /** What a good server answers: one detection with this score. */
  HttpReply good(Transport::Handle handle, float score = 1, std::string id = {}) const {
    wire::InferResponse response;
    response.model = "hog";
    response.id = id.empty() ? requestOf(handle).id : id;
    Detection detection;
    detection.box = {1, 2, 30, 40};
    detection.score = score;
    response.outputs = wire::encodeDetections({{detection}});
    response.parameters["infer_us"] = std::int64_t{1234};
    const wire::Message message = wire::encode(response);
    return {.status = 200, .body = message.body, .jsonLength = std::to_string(*message.jsonLength)};
  }

  void onReady() override { ++ready_; }
  void onLearned(const Offloader::Lesson& lesson) override { lesson_ = lesson; }
  void onProbeFailed(const std::string& why) override { ADD_FAILURE() << why; }
  void onServerLost(const std::string&, const std::string& why) override { lost_.push_back(why); }
  void onModelMissing(const std::string& url, const std::string&) override {
    missing_.push_back(url);
  }

  FakeTransport transport_;
  ServerPool pool_;
  std::unique_ptr<Offloader> offloader_;
  std::vector<PartAnswer> answers_;
  int calls_ = 0, ready_ = 0;
  std::optional<Offloader::Lesson> lesson_;
  std::vector<std::string> lost_, missing_;
};

TEST_F(OffloaderTest, LearnsTheRulesFromTheServers) {
  openReady();
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(offloader_->capacity().rules.label(0), "person");
}

TEST_F(OffloaderTest, HasTheLocalRulesWhereNoServerTellsAny) {
  open({kA});
  EXPECT_EQ(offloader_->capacity().rules.label(0), "local");
}

TEST_F(OffloaderTest, AnswersComeInTheOrderOfThePartsWhateverTheOrderOfTheReplies) {
  openReady();
  sendFrame({0, 1});
  const auto a = transport_.to(kA + "/v2/models/hog/infer");
  const auto b = transport_.to(kB + "/v2/models/hog/infer");
  ASSERT_EQ(a.size(), 1U);
  ASSERT_EQ(b.size(), 1U);
  transport_.reply(b[0], good(b[0], 2));
  EXPECT_EQ(calls_, 0);
  transport_.reply(a[0], good(a[0], 1));
  ASSERT_EQ(calls_, 1);
  ASSERT_EQ(answers_.size(), 2U);
  EXPECT_EQ(answers_[0].detections.at(0).score, 1);
  EXPECT_EQ(answers_[1].detections.at(0).score, 2);
  EXPECT_EQ(answers_[1].detections.at(0).server, 1);
  EXPECT_EQ(answers_[1].detections.at(0).label, "person");
  EXPECT_EQ(answers_[0].state, AnswerState::Answered);
  EXPECT_EQ(answers_[0].infer, 1234us);
  EXPECT_EQ(answers_[0].bytesSent, kPicture.data.size());
}

TEST_F(OffloaderTest, TellsWhereAPartLiesIfTheModelWantsToKnow) {
  open({kA});
  wire::ModelMetadata placed;
  placed.rules.emplace().placed = true;
  transport_.reply(transport_.to("/v2/models/hog").at(0), text(200, wire::encodeMetadata(placed)));
  sendFrame({0});
  const auto asked = transport_.to("/infer");
  EXPECT_EQ(wire::placementOf(requestOf(asked.at(0)).parameters, {100, 100}).value(),
            (Placement{0, 0, kFrame}));
}

TEST_F(OffloaderTest, TellsNobodyElse) {
  openReady();
  sendFrame({0});
  EXPECT_FALSE(requestOf(transport_.to("/infer").at(0)).parameters.contains("frame_width"));
}

TEST_F(OffloaderTest, LearnsWhichServersTakeRawPixels) {
  openReadyForRaw();
  EXPECT_TRUE(offloader_->capacity().servers[0].takesRaw);
  EXPECT_FALSE(offloader_->capacity().servers[1].takesRaw);
}

TEST(Encoding, AutoIsRawWhereThatIsHardlySlowerAndTheServerTakesIt) {
  ServerState server{.takesRaw = true};
  EXPECT_TRUE(sendsRaw(Encoding::Auto, server));
  server.cost.c = 8e-9;  // 1 Gbit/s
  EXPECT_TRUE(sendsRaw(Encoding::Auto, server));
  server.cost.b = 2e-8;
  EXPECT_FALSE(sendsRaw(Encoding::Auto, server)) << "its own time is too short for that";
  EXPECT_TRUE(sendsRaw(Encoding::Raw, server));
  server.cost = {.b = 1e-5, .c = 8e-8};
  EXPECT_FALSE(sendsRaw(Encoding::Auto, server)) << "the link is to be spared";
  server = {};
  EXPECT_FALSE(sendsRaw(Encoding::Auto, server));
  EXPECT_FALSE(sendsRaw(Encoding::Jpeg, {.takesRaw = true}));
}

TEST(Encoding, AutoIsRawHoweverSlowWhereTheServerTakesNothingElse) {
  const ServerState server{.takesRaw = true, .takesEncoded = false, .cost = {.b = 1e-5, .c = 1e-6}};
  EXPECT_TRUE(sendsRaw(Encoding::Auto, server));
  EXPECT_TRUE(sendsRaw(Encoding::Auto, server, true));
  EXPECT_FALSE(sendsRaw(Encoding::Jpeg, server));
}

TEST(Encoding, AutoIsJpegForAServerThatTakesBothWhereBytesAreFew) {
  const ServerState server{.takesRaw = true};
  ASSERT_TRUE(sendsRaw(Encoding::Auto, server));
  EXPECT_FALSE(sendsRaw(Encoding::Auto, server, true));
}

TEST_F(OffloaderTest, EachRequestTellsTheTimeThatIsLeft) {
  openReady();
  sendFrame({0}, 1500ms);
  const auto request = requestOf(transport_.to("/infer").at(0));
  EXPECT_EQ(std::get<std::int64_t>(request.parameters.at("timeout")), 1500000);
  EXPECT_EQ(request.id, "2.5.0.1");
}

TEST_F(OffloaderTest, WhatIsUnansweredAtTheDeadlineIsLateAndCancelled) {
  openReady();
  sendFrame({0, 1});
  const auto a = transport_.to(kA + "/v2/models/hog/infer").at(0);
  transport_.reply(a, good(a));
  transport_.advance(999ms);
  EXPECT_EQ(calls_, 0);
  transport_.advance(1ms);
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].state, AnswerState::Answered);
  EXPECT_EQ(answers_[1].state, AnswerState::Late);
  EXPECT_NE(answers_[1].error.find(kB), std::string::npos);
  EXPECT_TRUE(transport_.to("/infer").empty());
}

TEST_F(OffloaderTest, AFailedPartIsSentOnceMoreToAnotherServer) {
  openReady();
  sendFrame({0});
  transport_.reply(transport_.to(kA + "/v2/models/hog/infer").at(0), text(500, "oops"));
  EXPECT_EQ(calls_, 0);
  const auto b = transport_.to(kB + "/v2/models/hog/infer").at(0);
  transport_.reply(b, good(b));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].state, AnswerState::Answered);
  EXPECT_EQ(answers_[0].attempts, 2);
  EXPECT_EQ(answers_[0].server, 1);
  EXPECT_EQ(answers_[0].bytesSent, 2 * kPicture.data.size());
  EXPECT_EQ(offloader_->stats().partsRetried, 1U);
}

TEST_F(OffloaderTest, APartIsSentOnceMoreOnlyToAServerThatTakesItsEncoding) {
  openReadyForRaw();
  const wire::Tensor pixels = wire::rawImage(std::vector<std::uint8_t>(30000, 7), {100, 100});
  for (int i = 0; i < 3; ++i) {
    sendFrame({0}, 1s, pixels);
    transport_.reply(transport_.to(kA + "/v2/models/hog/infer").at(0), {.error = "cut off"});
    EXPECT_TRUE(transport_.to("/infer").empty());
    EXPECT_EQ(answers_.at(0).error, kA + ": cut off");
  }
  EXPECT_EQ(lost_.size(), 1U);
  // Nor is it a stand-in for the one that is left out.
  sendFrame({0}, 1s, pixels);
  EXPECT_TRUE(transport_.to("/infer").empty());
  EXPECT_EQ(answers_.at(0).attempts, 0);
  EXPECT_EQ(calls_, 4);
  EXPECT_TRUE(offloader_->capacity().servers[1].healthy);
  sendFrame({0});
  EXPECT_EQ(transport_.to(kB + "/v2/models/hog/infer").size(), 1U);
}

TEST_F(OffloaderTest, AJpegIsNoStandInForPixelsEither) {
  open();
  wire::ModelMetadata raw;
  raw.inputs = {{"image", wire::DataType::Uint8, {1, -1, -1, 3}}};
  transport_.reply(transport_.to(kA + "/v2/models/hog").at(0), metadata());
  transport_.reply(transport_.to(kB + "/v2/models/hog").at(0),
                   text(200, wire::encodeMetadata(raw)));
  EXPECT_FALSE(offloader_->capacity().servers[1].takesEncoded);
  EXPECT_EQ(offloader_->capacity().servers[1].bytesPerPixel, 3);
  sendFrame({0});
  transport_.reply(transport_.to("/infer").at(0), text(500, "oops"));
  EXPECT_TRUE(transport_.to("/infer").empty());
  EXPECT_EQ(calls_, 1);
}

TEST_F(OffloaderTest, APartThatFailsTwiceHasFailed) {
  openReady();
  sendFrame({0});
  transport_.reply(transport_.to("/infer").at(0), text(500, "oops"));
  transport_.reply(transport_.to("/infer").at(0), text(503, "busy"));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].state, AnswerState::Failed);
  EXPECT_EQ(answers_[0].error, kB + ": HTTP status 503, busy");
}

TEST_F(OffloaderTest, ThereIsNoRetryThatWouldBeLate) {
  openReady();
  sendFrame({0}, 100ms);
  transport_.advance(99ms);
  transport_.reply(transport_.to("/infer").at(0), text(500, "oops"));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].attempts, 1);
}

TEST_F(OffloaderTest, AnAnswerToAnotherRequestIsAnErrorThatNamesTheServer) {
  openReady();
  sendFrame({0}, 1ms);  // too short for a second attempt
  const auto a = transport_.to("/infer").at(0);
  transport_.reply(a, good(a, 1, "1.1.1.1"));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].state, AnswerState::Failed);
  EXPECT_TRUE(answers_[0].detections.empty());
  EXPECT_TRUE(answers_[0].error.starts_with(kA + ": answers request '1.1.1.1'"));
}

TEST_F(OffloaderTest, GarbageIsAnErrorThatNamesTheServer) {
  for (const HttpReply& garbage :
       {text(200, ""), text(200, "no json"), text(200, "{}"), text(200, "[1]"),
        HttpReply{.status = 200, .body = {'{', '}'}, .jsonLength = "99999999999999999999"},
        HttpReply{.status = 200, .body = {'{', '}'}, .jsonLength = "-1"},
        HttpReply{.status = 0, .error = "cut off"}}) {
    calls_ = 0;
    openReady();
    sendFrame({0}, 1ms);
    const auto sent = transport_.to("/infer");
    transport_.reply(sent.at(0), garbage);
    ASSERT_EQ(calls_, 1);
    EXPECT_EQ(answers_[0].state, AnswerState::Failed);
    EXPECT_TRUE(answers_[0].error.starts_with("http://"));
  }
}

TEST_F(OffloaderTest, ThreeErrorsInARowLeaveAServerOutUntilItIsReady) {
  openReady();
  for (int i = 0; i < 3; ++i) {
    sendFrame({0}, 1ms);
    transport_.reply(transport_.to(kA + "/v2/models/hog/infer").at(0), text(500, "oops"));
  }
  ASSERT_EQ(lost_.size(), 1U);
  EXPECT_TRUE(lost_[0].starts_with(kA));
  EXPECT_FALSE(offloader_->capacity().servers[0].healthy);

  // Its parts go to the other one.
  sendFrame({0}, std::nullopt);
  EXPECT_EQ(transport_.to(kB + "/v2/models/hog/infer").size(), 1U);

  // Probed, refused, probed again after a longer pause, and back.
  transport_.advance(Offloader::kFirstPause);
  transport_.reply(transport_.to("/v2/health/ready").at(0), text(503, ""));
  transport_.advance(Offloader::kFirstPause);
  EXPECT_TRUE(transport_.to("/v2/health/ready").empty());
  transport_.advance(Offloader::kFirstPause);
  transport_.reply(transport_.to("/v2/health/ready").at(0), text(200, ""));
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
  EXPECT_EQ(lost_.size(), 1U);
}

TEST_F(OffloaderTest, WithAllServersGonePartsFailAtOnce) {
  open();
  for (const auto handle : transport_.to("/v2/models/hog"))
    transport_.reply(handle, {.status = 0, .error = "Connection refused"});
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(lost_.size(), 2U);
  for (int i = 0; i < 10; ++i) sendFrame({0, 1});
  EXPECT_EQ(calls_, 10);
  EXPECT_EQ(answers_[1].state, AnswerState::Failed);
  EXPECT_EQ(answers_[1].attempts, 0);
  EXPECT_EQ(lost_.size(), 2U);
}

TEST_F(OffloaderTest, AServerThatComesUpLaterIsUsed) {
  open({kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), {.error = "Connection refused"});
  transport_.advance(Offloader::kFirstPause);
  transport_.reply(transport_.to("/v2/health/ready").at(0), text(200, ""));
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
  EXPECT_EQ(offloader_->capacity().rules.label(0), "person");
}

TEST_F(OffloaderTest, AMissingModelIsTold) {
  open({kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), text(404, "{}"));
  EXPECT_EQ(missing_, std::vector<std::string>{kA});
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderTest, AServerThatNeverTellsItsModelIsGivenUpAfterAWhile) {
  open({kA});
  transport_.advance(Offloader::kQuestionTimeout);
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(lost_.size(), 1U);
}

TEST_F(OffloaderTest, AServerIsAskedOneQuestionAtATime) {
  open({kA});
  // It fails while it has not told its model yet.
  for (int i = 0; i < 3; ++i) {
    sendFrame({0}, 1ms);
    transport_.reply(transport_.to("/infer").at(0), text(500, "oops"));
  }
  ASSERT_EQ(lost_.size(), 1U);
  transport_.advance(Offloader::kFirstPause);
  EXPECT_TRUE(transport_.to("/v2/health/ready").empty());
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  EXPECT_EQ(ready_, 1);
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
}

TEST_F(OffloaderTest, AbandonedFramesAreNeverCalledBack) {
  openReady();
  const auto ticket = sendFrame({0, 1});
  offloader_->abandonAll();
  EXPECT_TRUE(transport_.to("/infer").empty());
  transport_.advance(10s);
  offloader_->send(ticket, 0, kPicture);
  EXPECT_EQ(calls_, 0);
}

TEST_F(OffloaderTest, WholeFramesGoRoundTheServersThatAreFree) {
  openReady();
  const int first = offloader_->bestServer({100, 100});
  sendFrame({first});
  EXPECT_NE(offloader_->bestServer({100, 100}), first);
}

TEST_F(OffloaderTest, LearnsWhatAServerCosts) {
  openReady();
  for (int i = 0; i < 30; ++i) {
    sendFrame({0});
    const auto a = transport_.to("/infer").at(0);
    transport_.advance(200ms);
    transport_.reply(a, good(a));
  }
  EXPECT_NEAR(offloader_->capacity().servers[0].cost.seconds(10000), 0.2, 0.03);
  EXPECT_EQ(offloader_->bestServer({100, 100}), 1);
}

TEST_F(OffloaderTest, TellsWhatItLearnsFromEachAnswer) {
  openReady();
  sendFrame({1});
  const auto b = transport_.to("/infer").at(0);
  transport_.advance(200ms);
  transport_.reply(b, good(b));
  ASSERT_TRUE(lesson_);
  EXPECT_EQ(lesson_->url, kB);
  EXPECT_FALSE(lesson_->probe);
  EXPECT_EQ(lesson_->sent, (Size{100, 100}));
  EXPECT_EQ(lesson_->bytes, kPicture.data.size());
  EXPECT_EQ(lesson_->roundTrip, 200ms);
  EXPECT_FALSE(lesson_->queue);
  EXPECT_EQ(lesson_->infer, 1234us);
  EXPECT_TRUE(lesson_->changed);
  EXPECT_EQ(lesson_->cost, offloader_->capacity().servers[1].cost);
}

TEST(ParseServers, TakesTheListAsItIs) {
  EXPECT_EQ(parseServers(" http://a:1/ ,http://a:1,https://[::1]:80/x"),
            (std::vector<std::string>{"http://a:1", "http://a:1", "https://[::1]:80/x"}));
}

TEST(ParseServers, NamesWhatIsWrong) {
  for (const char* bad : {"", " , ", "a:1", "ftp://a", "http://", "http://:80", "http://a:b",
                          "http://a:99999", "http://a,http://b c", "http://a?x=1"}) {
    try {
      parseServers(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.subject(), "servers");
    }
  }
}

}  // namespace
}  // namespace elf
