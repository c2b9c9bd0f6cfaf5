// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/offloader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "elf/base/network_address.h"
#include "elf/offload/encoding.h"
#include "elf/servers/server_url.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/fake_transport.h"
#include "tests/support/json_length.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using testing::FakeTransport;

const std::string kA = "http://10.0.0.1:1", kB = "http://10.0.0.2:2", kC = "http://10.0.0.3:3";
constexpr Size kFrame{400, 300};
const wire::Tensor kPicture = wire::encodedImage(std::vector<std::uint8_t>(100, 7));

HttpReply text(int status, const std::string& body) {
  return {.status = status, .body = {body.begin(), body.end()}};
}

class OffloaderTest : public ::testing::Test, public OffloadListener {
 protected:
  void open(std::vector<std::string> servers = {kA, kB}) {
    ModelRules local;
    local.labels = {"local"};
    // Probes have a test of their own (offloader_costs_test.cpp).
    for (const std::string& url : servers) pool_.server(url, "hog", 0)->endProbe(true);
    offloader_ = std::make_unique<Offloader>(OffloadSettings{.servers = std::move(servers),
                                                             .model = "hog",
                                                             .localRules = local,
                                                             .hedging = hedging_},
                                             pool_, transport_.client, *this);
    offloader_->start();
  }
  /** A is another server than elf-server, and says this of itself. */
  void openForeign(const std::string& serverMetadata, OffloadSettings settings = {}) {
    settings.servers = {kA};
    settings.model = "hog";
    pool_.server(kA, "hog", 0)->endProbe(true);
    offloader_ = std::make_unique<Offloader>(std::move(settings), pool_, transport_.client, *this);
    offloader_->start();
    transport_.reply(transport_.to("/v2/models/hog").at(0), text(200, R"({"name":"hog"})"));
    EXPECT_FALSE(offloader_->ready());
    transport_.reply(transport_.to("/v2").at(0), text(200, serverMetadata));
    EXPECT_TRUE(offloader_->ready());
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
    raw.rules.emplace();
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
    return wire::parseRequest(joined(request.body), testing::jsonLengthOf(request)).value();
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

  /** Answers what an endpoint that was left out is asked before it is used again. */
  void revive(const std::string& url) {
    transport_.reply(transport_.to(url + "/v2/health/ready").at(0), text(200, ""));
    tell(url);
  }
  /** The same for one that was added. */
  void tell(const std::string& url) {
    transport_.reply(transport_.to(url + "/v2/models/hog").at(0), metadata());
    const auto trial = transport_.to(url + "/v2/models/hog/infer").at(0);
    transport_.reply(trial, good(trial));
  }

  void TearDown() override { EXPECT_TRUE(failedProbes_.empty() || !lost_.empty()); }

  /** Answers all parts that are under way to a server. */
  void answerAll(const std::string& url) {
    for (const auto handle : transport_.to(url + "/v2/models/hog/infer"))
      transport_.reply(handle, good(handle));
  }
  /** Moves the clock until a frame is done, while `urls` answer at once. */
  void waitWhileAnswering(const std::vector<std::string>& urls) {
    for (int i = 0; i < 600 && calls_ == 0; ++i) {
      transport_.advance(100ms);
      for (const std::string& url : urls) answerAll(url);
    }
  }
  /** Three requests to a server fail, which leaves it out. */
  void failThrice(int server, const HttpReply& reply = {.error = "Connection refused"}) {
    const std::string url = offloader_->capacity().servers.at(static_cast<std::size_t>(server)).url;
    for (int i = 0; i < ServerSet::kErrorsInARow; ++i) {
      sendFrame({server}, 1ms);
      transport_.reply(transport_.to(url + "/v2/models/hog/infer").at(0), reply);
    }
  }
  std::size_t healthQuestions() const { return transport_.to("/v2/health/ready").size(); }

  void onReady() override { ++ready_; }
  void onCostSample(const CostSample& sample) override { sample_ = sample; }
  void onProbeFailed(const std::string& why) override { failedProbes_.push_back(why); }
  void onServerDown(const ServerDown& down) override {
    lost_.push_back(down.why);
    left_ = down.left;
  }
  void onServerUp(const std::string& url) override { back_.push_back(url); }
  void onPartsFail(const std::string& why) override { failing_.push_back(why); }
  void onServerSilent(const std::string& url, std::chrono::seconds time) override {
    silent_.emplace_back(url, time);
  }
  void onServersIgnored(const std::string& what) override { ignored_.push_back(what); }
  void onModelMissing(const std::string& what, const std::string&) override {
    missing_.push_back(what);
  }

  FakeTransport transport_;
  ServerPool pool_;
  std::unique_ptr<Offloader> offloader_;
  std::vector<PartAnswer> answers_;
  int calls_ = 0, ready_ = 0;
  std::optional<CostSample> sample_;
  std::vector<std::string> failedProbes_, lost_, back_, failing_, missing_, ignored_;
  std::vector<std::pair<std::string, std::chrono::seconds>> silent_;
  int left_ = -1;
  /** Most tests are about what happens without. */
  double hedging_ = 0;
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

TEST_F(OffloaderTest, AServerWithoutBinaryTensorsGetsJson) {
  openForeign(R"({"name":"other","extensions":[]})");
  sendFrame({0});
  const auto handle = transport_.to("/infer").at(0);
  const HttpRequest& request = transport_.requests.at(handle).request;
  EXPECT_FALSE(testing::jsonLengthOf(request));
  EXPECT_EQ(request.contentType, "application/json");
  const auto parsed = wire::parseRequest(joined(request.body), std::nullopt);
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(parsed.value().inputs.at(0).data, kPicture.data);
  EXPECT_FALSE(parsed.value().binaryOutputs);
}

TEST_F(OffloaderTest, ARetryAtAServerWithoutBinaryTensorsGetsJson) {
  open();
  transport_.reply(transport_.to(kA + "/v2/models/hog").at(0), metadata());
  transport_.reply(transport_.to(kB + "/v2/models/hog").at(0), text(200, R"({"name":"hog"})"));
  transport_.reply(transport_.to("/v2").at(0), text(200, R"({"extensions":[]})"));
  sendFrame({0});
  const auto a = transport_.to(kA + "/v2/models/hog/infer").at(0);
  EXPECT_TRUE(requestOf(a).inputs.at(0).binary);
  transport_.reply(a, text(500, "oops"));
  const auto b = transport_.to(kB + "/v2/models/hog/infer").at(0);
  const auto parsed =
      wire::parseRequest(joined(transport_.requests.at(b).request.body), std::nullopt);
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(parsed.value().inputs.at(0).data, kPicture.data);
}

TEST_F(OffloaderTest, NobodyWaitsWhileAPictureIsWrittenAsJson) {
  open({kA});
  transport_.reply(
      transport_.to("/v2/models/hog").at(0),
      text(200, R"({"inputs":[{"name":"image","datatype":"UINT8","shape":[1,-1,-1,3]}]})"));
  transport_.reply(transport_.to("/v2").at(0), text(200, R"({"extensions":[]})"));
  constexpr Size kLarge{4000, 3000};
  wire::Tensor picture = wire::rawImage(std::vector<std::uint8_t>(36'000'000, 255), kLarge);
  const auto ticket = offloader_->begin(5, 2, kFrame, parts({0}), std::nullopt, [](auto) {});
  std::atomic<bool> begun = false, sent = false;
  std::thread sender([&] {
    begun = true;
    begun.notify_one();
    offloader_->send(ticket, 0, std::move(picture));
    sent = true;
  });
  begun.wait(false);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  Clock::duration longest{};
  while (!sent) {
    const Clock::time_point asked = Clock::now();
    offloader_->capacity();
    longest = std::max(longest, Clock::now() - asked);
  }
  EXPECT_LT(longest, (Clock::now() - start) / 2);
  sender.join();
  ASSERT_EQ(transport_.to("/infer").size(), 1U);
  EXPECT_EQ(transport_.requests.at(transport_.to("/infer")[0]).request.contentType,
            "application/json");
}

// Inside the callback of the reply, the lock is held.
TEST_F(OffloaderTest, AProbeIsWrittenAsJsonInACallbackOfItsOwn) {
  offloader_ = std::make_unique<Offloader>(OffloadSettings{.servers = {kA}, .model = "hog"}, pool_,
                                           transport_.client, *this);
  offloader_->start();
  transport_.reply(transport_.to("/v2/models/hog").at(0), text(200, R"({"name":"hog"})"));
  transport_.reply(transport_.to("/v2").at(0), text(200, R"({"extensions":[]})"));
  EXPECT_TRUE(transport_.to("/infer").empty());
  transport_.advance({});
  ASSERT_EQ(transport_.to("/infer").size(), 1U);
  EXPECT_EQ(transport_.requests.at(transport_.to("/infer")[0]).request.contentType,
            "application/json");
}

TEST_F(OffloaderTest, AServerThatListsBinaryTensorsGetsThem) {
  openForeign(R"({"name":"other","extensions":["binary_tensor_data"]})");
  sendFrame({0});
  const auto handle = transport_.to("/infer").at(0);
  EXPECT_EQ(transport_.requests.at(handle).request.contentType, "application/octet-stream");
  EXPECT_TRUE(requestOf(handle).inputs.at(0).binary);
}

TEST_F(OffloaderTest, AServerThatGoesBeforeItHasToldItsExtensionsIsLost) {
  open({kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), text(200, R"({"name":"hog"})"));
  transport_.reply(transport_.to("/v2").at(0), {.error = "cut off"});
  EXPECT_EQ(lost_.size(), 1U);
  transport_.advance(ServerSet::kFirstPause);
  transport_.reply(transport_.to("/v2/health/ready").at(0), text(200, ""));
  EXPECT_EQ(transport_.to("/v2/models/hog").size(), 1U);
}

TEST_F(OffloaderTest, TensorsGoAndComeByTheNamesOfTheServer) {
  openForeign(R"({"extensions":["binary_tensor_data"]})",
              {.tensors = {.image = "pixels", .boxes = "dets"}});
  sendFrame({0});
  const auto handle = transport_.to("/infer").at(0);
  EXPECT_EQ(requestOf(handle).inputs.at(0).name, "pixels");
  wire::InferResponse response{.id = requestOf(handle).id};
  Detection detection;
  detection.box = {1, 2, 30, 40};
  response.outputs = wire::encodeDetections({{detection}});
  response.outputs[0].name = "dets";
  const wire::Message message = wire::encode(response);
  transport_.reply(
      handle,
      {.status = 200, .body = message.body, .jsonLength = std::to_string(*message.jsonLength)});
  EXPECT_EQ(answers_.at(0).detections.at(0).box, detection.box);
}

TEST_F(OffloaderTest, OfAServerWithOtherOutputsOnlyThoseThatAreReadAreAskedFor) {
  const std::string before = R"({"name":"hog","outputs":[
      {"name":"labels","datatype":"INT64","shape":[-1]},
      {"name":"masks","datatype":"FP32","shape":[-1,1000,1000]},
      {"name":"scores","datatype":"FP32","shape":[-1]},)";
  for (const bool others : {true, false}) {
    open({kA});
    const std::string metadata =
        others ? before + R"({"name":"boxes","datatype":"FP32","shape":[-1,4]}]})"
               : R"({"outputs":[{"name":"boxes","datatype":"FP32","shape":[-1,4]}]})";
    transport_.reply(transport_.to("/v2/models/hog").back(), text(200, metadata));
    transport_.reply(transport_.to("/v2").back(), text(200, R"({"name":"other"})"));
    sendFrame({0});
    std::vector<std::string> asked;
    for (const wire::RequestedOutput& output : requestOf(transport_.to("/infer").back()).outputs) {
      EXPECT_TRUE(output.binary);
      asked.push_back(output.name);
    }
    EXPECT_EQ(asked, others ? (std::vector<std::string>{"labels", "scores", "boxes"})
                            : std::vector<std::string>{});
    offloader_->abandonAll();
  }
}

TEST_F(OffloaderTest, APictureHasTheBatchDimensionThatTheServersMetadataHas) {
  struct Case {
    const char* shape;
    std::vector<std::int64_t> sent;
  };
  for (const auto& [shape, sent] :
       {Case{"[-1,1]", {1, 1}}, {"[1,1]", {1, 1}}, {"[-1]", {1}}, {"[1]", {1}}})
    for (const std::string extensions : {R"(["binary_tensor_data"])", "[]"}) {
      SCOPED_TRACE(shape + extensions);
      open({kA});
      transport_.reply(transport_.to("/v2/models/hog").back(),
                       text(200, R"({"inputs":[{"name":"image","datatype":"BYTES","shape":)" +
                                     std::string(shape) + "}]}"));
      transport_.reply(transport_.to("/v2").back(),
                       text(200, R"({"name":"other","extensions":)" + extensions + "}"));
      sendFrame({0});
      const wire::Tensor image = requestOf(transport_.to("/infer").back()).inputs.at(0);
      EXPECT_EQ(image.type, wire::DataType::Bytes);
      EXPECT_EQ(image.shape, sent);
      EXPECT_EQ(image.binary, extensions != "[]");
      offloader_->abandonAll();
    }
}

TEST_F(OffloaderTest, AVersionIsPartOfEachQuestionAboutTheModel) {
  OffloadSettings settings{.servers = {kA}, .model = "hog", .version = "3"};
  pool_.server(kA, "hog/versions/3", 0)->endProbe(true);
  offloader_ = std::make_unique<Offloader>(settings, pool_, transport_.client, *this);
  offloader_->start();
  transport_.reply(transport_.to(kA + "/v2/models/hog/versions/3").at(0), metadata());
  sendFrame({0});
  EXPECT_EQ(transport_.to(kA + "/v2/models/hog/versions/3/infer").size(), 1U);
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

TEST_F(OffloaderTest, WhatWasTooLargeForAServerIsNotSentRawAgain) {
  openReadyForRaw();
  constexpr Size kSize{40, 30};
  const std::vector<std::uint8_t> rgb(static_cast<std::size_t>(kSize.area()) * 3);
  const auto raw = [&](double bytes) {
    return sendsRaw(Encoding::Auto, offloader_->capacity().servers[0], false, bytes);
  };
  sendFrame({0});
  answerAll(kA);
  const double answered = static_cast<double>(answers_.at(0).bytesSent);
  EXPECT_TRUE(raw(3600));
  sendFrame({0}, 1s, wire::rawImage(rgb, kSize));
  transport_.reply(transport_.to("/infer").at(0), text(413, "Request Entity Too Large"));
  EXPECT_EQ(answers_.at(0).state, AnswerState::Failed);
  EXPECT_FALSE(raw(3600));
  EXPECT_FALSE(raw(answered + 1)) << "that would be tried in vain, too";
  EXPECT_TRUE(raw(answered));
  // It is the request that is at fault.
  sendFrame({0, 0, 0}, 1s, wire::rawImage(rgb, kSize));
  for (const auto handle : transport_.to("/infer")) transport_.reply(handle, text(413, ""));
  EXPECT_TRUE(lost_.empty());
}

TEST(Encoding, AutoIsRawHoweverLargeWhereTheServerTakesNothingElse) {
  const ServerState server{.takesRaw = true, .takesEncoded = false, .mostBytes = 999};
  EXPECT_TRUE(sendsRaw(Encoding::Auto, server, false, 1000));
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
  raw.rules.emplace();
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
  transport_.advance(ServerSet::kFirstPause);
  transport_.reply(transport_.to("/v2/health/ready").at(0), text(503, ""));
  transport_.advance(ServerSet::kFirstPause);
  EXPECT_TRUE(transport_.to("/v2/health/ready").empty());
  transport_.advance(ServerSet::kFirstPause);
  offloader_->abandonAll();
  revive(kA);
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
  EXPECT_EQ(lost_.size(), 1U);
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(back_.empty()) << "not before it answers a part";
  sendFrame({0});
  answerAll(kA);
  EXPECT_EQ(back_, std::vector<std::string>{kA});
}

TEST_F(OffloaderTest, ThreeFramesLateInARowLeaveAServerOut) {
  openReady();
  for (int i = 0; i < 3; ++i) sendFrame({0});
  transport_.advance(1s);
  ASSERT_EQ(lost_.size(), 1U);
  EXPECT_TRUE(lost_[0].starts_with(kA));
}

TEST_F(OffloaderTest, PartsThatAreLateLeaveNoServerOutThatAnswersOthersMeanwhile) {
  openReady();
  for (int i = 0; i < 3; ++i) sendFrame({0, 0});
  transport_.advance(10ms);
  const auto last = transport_.to(kA + "/v2/models/hog/infer").back();
  transport_.reply(last, good(last));
  transport_.advance(1s);
  ASSERT_EQ(calls_, 3);
  EXPECT_EQ(answers_[0].state, AnswerState::Late);
  EXPECT_TRUE(lost_.empty());
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
  transport_.advance(ServerSet::kFirstPause);
  revive(kA);
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
  EXPECT_EQ(offloader_->capacity().rules.label(0), "person");
}

TEST_F(OffloaderTest, AMissingModelIsTold) {
  open({kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), text(404, "{}"));
  EXPECT_EQ(missing_, std::vector<std::string>{kA + " has no model 'hog'"});
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderTest, AMissingVersionIsToldWithThoseThatThereAre) {
  const struct {
    int status;
    const char *answer, *what;
  } cases[] = {
      {200, R"({"versions":["1","2"]})", " has no version '7' of model 'hog'; it has 1, 2"},
      {200, R"({"name":"hog"})", " has no version '7' of model 'hog'"},
      {404, "{}", " has no model 'hog'"},
  };
  for (const auto& [status, answer, what] : cases) {
    missing_.clear();
    offloader_ = std::make_unique<Offloader>(
        OffloadSettings{.servers = {kA}, .model = "hog", .version = "7"}, pool_, transport_.client,
        *this);
    offloader_->start();
    transport_.reply(transport_.to(kA + "/v2/models/hog/versions/7").at(0), text(404, "{}"));
    transport_.reply(transport_.to(kA + "/v2/models/hog").at(0), text(status, answer));
    EXPECT_EQ(missing_, std::vector<std::string>{kA + what});
  }
}

TEST_F(OffloaderTest, PartsThatFailAtAServerThatAnswersOthersAreToldOnce) {
  openReady();
  for (int i = 0; i < 10; ++i) {
    sendFrame({0}, 1ms);
    const auto bad = transport_.to(kA + "/v2/models/hog/infer").at(0);
    transport_.reply(bad, text(500, "no memory"));
    sendFrame({0}, 1ms);
    answerAll(kA);
  }
  EXPECT_EQ(failing_, std::vector<std::string>{kA + ": HTTP status 500, no memory"});
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderTest, AnEndpointThatRefusesAPartIsNotAskedForItAgain) {
  open({kA, kA, kA});
  for (const auto handle : transport_.to("/v2/models/hog")) transport_.reply(handle, metadata());
  sendFrame({0});
  transport_.reply(transport_.to("/infer").at(0), text(400, "too large"));
  EXPECT_TRUE(transport_.to("/infer").empty());
  EXPECT_TRUE(lost_.empty()) << "one request is at fault, not the server";
}

TEST_F(OffloaderTest, RefusalsOfOneFrameAreOneError) {
  open({kA});
  for (const auto handle : transport_.to("/v2/models/hog")) transport_.reply(handle, metadata());
  sendFrame({0, 0, 0, 0}, 1ms);
  for (const auto handle : transport_.to("/infer"))
    transport_.reply(handle, text(400, "too large"));
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderTest, AServerThatComesUpLaterWithoutTheModelStopsNobody) {
  open();
  transport_.reply(transport_.to(kA + "/v2/models/hog").at(0), metadata());
  transport_.reply(transport_.to(kB + "/v2/models/hog").at(0), {.error = "refused"});
  EXPECT_TRUE(offloader_->ready());
  transport_.advance(ServerSet::kFirstPause);
  transport_.reply(transport_.to(kB + "/v2/health/ready").at(0), text(200, ""));
  transport_.reply(transport_.to(kB + "/v2/models/hog").at(0), text(404, "no such model"));
  EXPECT_TRUE(missing_.empty()) << "it may be loading it";
  transport_.advance(2 * ServerSet::kFirstPause);
  transport_.reply(transport_.to(kB + "/v2/health/ready").at(0), text(200, ""));
  transport_.reply(transport_.to(kB + "/v2/models/hog").at(0), metadata());
  EXPECT_EQ(transport_.to(kB + "/v2/models/hog/infer").size(), 1U) << "a probe";
}

TEST_F(OffloaderTest, AServerAtWhichAllPartsFailIsLostAndNoMore) {
  openReady();
  failThrice(0, text(500, "no memory"));
  EXPECT_EQ(lost_, std::vector<std::string>{kA + ": HTTP status 500, no memory"});
  EXPECT_TRUE(failing_.empty());
}

TEST_F(OffloaderTest, AServerThatNeverTellsItsModelIsGivenUpAfterAWhile) {
  open({kA});
  transport_.advance(ServerSet::kQuestionTimeout);
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
  transport_.advance(ServerSet::kFirstPause);
  EXPECT_TRUE(transport_.to("/v2/health/ready").empty());
  tell(kA);
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
  ASSERT_TRUE(sample_);
  EXPECT_EQ(sample_->url, kB);
  EXPECT_FALSE(sample_->probe);
  EXPECT_EQ(sample_->sent, (Size{100, 100}));
  EXPECT_EQ(sample_->bytes, kPicture.data.size());
  EXPECT_EQ(sample_->roundTrip, 200ms);
  EXPECT_FALSE(sample_->queue);
  EXPECT_EQ(sample_->infer, 1234us);
  EXPECT_TRUE(sample_->changed);
  EXPECT_EQ(sample_->cost, offloader_->capacity().servers[1].cost);
}

class OffloaderLateTest : public OffloaderTest {
 protected:
  void SetUp() override { openReady(); }

  Offloader::Ticket begin(std::vector<int> servers, Transport::Clock::duration deadline) {
    return offloader_->begin(
        5, 2, kFrame, parts(std::move(servers)), transport_.now() + deadline,
        [this](std::vector<PartAnswer> answers) {
          answers_ = std::move(answers);
          ++calls_;
        },
        {},
        [this](std::vector<PartAnswer> answers) {
          late_ = std::move(answers);
          ++lateCalls_;
          if (inLate_) inLate_();
        });
  }
  Offloader::Ticket sendWorthMore(std::vector<int> servers,
                                  Transport::Clock::duration deadline = 50ms) {
    const auto ticket = begin(servers, deadline);
    for (std::size_t i = 0; i < servers.size(); ++i) offloader_->send(ticket, i, kPicture);
    return ticket;
  }
  /** From now on it is worth kSilence. */
  void answerOnce(int server, const std::string& url) {
    sendFrame({server});
    answerAll(url);
    calls_ = 0;
  }
  std::vector<Transport::Handle> toA() const { return transport_.to(kA + "/v2/models/hog/infer"); }
  std::vector<Transport::Handle> toB() const { return transport_.to(kB + "/v2/models/hog/infer"); }

  std::vector<PartAnswer> late_;
  int lateCalls_ = 0;
  std::function<void()> inLate_;
};

TEST_F(OffloaderLateTest, AnAnswerAfterTheDeadlineIsKeptWhileItIsWorthHaving) {
  sendWorthMore({0, 1});
  transport_.reply(toA().at(0), good(toA()[0]));
  transport_.advance(50ms);
  ASSERT_EQ(lateCalls_, 1);
  EXPECT_EQ(calls_, 0);
  ASSERT_EQ(late_.size(), 2U);
  EXPECT_EQ(late_[0].state, AnswerState::Answered);
  EXPECT_EQ(late_[0].detections.size(), 1U);
  EXPECT_EQ(late_[1].state, AnswerState::Late);
  EXPECT_EQ(late_[1].error, kB + ": did not answer by the deadline");
  EXPECT_EQ(late_[1].server, 1);
  EXPECT_EQ(late_[1].roundTrip, 50ms);

  transport_.advance(250ms);
  ASSERT_EQ(toB().size(), 1U);
  transport_.reply(toB()[0], good(toB()[0]));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(lateCalls_, 1);
  for (const PartAnswer& answer : answers_) {
    EXPECT_EQ(answer.state, AnswerState::Answered);
    EXPECT_EQ(answer.detections.size(), 1U);
    EXPECT_TRUE(answer.error.empty());
  }
  EXPECT_EQ(answers_[1].roundTrip, 300ms);
  ASSERT_TRUE(sample_);
  EXPECT_FALSE(sample_->late);
  EXPECT_EQ(sample_->roundTrip, 300ms);
  EXPECT_EQ(offloader_->stats().partsLate, 1U);
}

TEST_F(OffloaderLateTest, ItIsWorthNothingOnceItsServerHasBeenSilentForTooLong) {
  answerOnce(0, kA);
  answerOnce(1, kB);
  sendWorthMore({0});
  transport_.advance(ServerSet::kSilence - 1ms);
  EXPECT_EQ(toA().size(), 1U);
  EXPECT_EQ(calls_, 0);
  transport_.advance(1ms);
  EXPECT_TRUE(toA().empty());
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(lateCalls_, 1);
  EXPECT_NE(answers_[0].state, AnswerState::Answered);
}

TEST_F(OffloaderLateTest, WhatIsNotAnsweredWhileItIsWorthHavingIsLateAndCountsOnceForEachFrame) {
  open({kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  answerOnce(0, kA);
  transport_.advance(1ms);
  for (int i = 0; i < ServerSet::kErrorsInARow; ++i) {
    EXPECT_TRUE(lost_.empty());
    sendWorthMore({0, 0});
    transport_.advance(ServerSet::kSilence - 1ms);
    ASSERT_EQ(calls_, i);
    transport_.advance(10s);
    ASSERT_EQ(calls_, i + 1);
    EXPECT_EQ(answers_[0].state, AnswerState::Late);
    EXPECT_EQ(answers_[0].error, kA + ": did not answer by the deadline");
  }
  EXPECT_EQ(lost_.size(), 1U);
  EXPECT_GE(offloader_->stats().partsLate, 5U);
}

TEST_F(OffloaderLateTest, ADeadlineThatIsMissedIsNoErrorOfAServerThatAnswersLater) {
  for (int i = 0; i < 10; ++i) {
    sendWorthMore({0});
    transport_.advance(300ms);
    answerAll(kA);
  }
  EXPECT_EQ(calls_, 10);
  EXPECT_EQ(lateCalls_, 10);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderLateTest, WhereAllIsSettledByTheDeadlineItIsDoneAndNoMore) {
  sendWorthMore({0});
  answerAll(kA);
  transport_.advance(1s);
  EXPECT_EQ(calls_, 1);
  // Longer than anything is worth.
  calls_ = 0;
  answerOnce(1, kB);
  sendWorthMore({0}, 10s);
  transport_.advance(10s);
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(lateCalls_, 0);
}

TEST_F(OffloaderLateTest, EachRequestTellsHowLongItsAnswerIsWorthHaving) {
  sendWorthMore({0});
  EXPECT_EQ(std::get<std::int64_t>(requestOf(toA().at(0)).parameters.at("timeout")),
            Microseconds(ServerSet::kFirstSilence).count());
  answerAll(kA);
  sendWorthMore({0});
  EXPECT_EQ(std::get<std::int64_t>(requestOf(toA().at(0)).parameters.at("timeout")),
            Microseconds(ServerSet::kSilence).count());
  answerAll(kA);
  sendWorthMore({0}, 2s);
  EXPECT_EQ(std::get<std::int64_t>(requestOf(toA().at(0)).parameters.at("timeout")), 2000000);
}

TEST_F(OffloaderLateTest, APartIsSentAfterTheDeadlineAsWell) {
  const auto ticket = begin({0, 1}, 50ms);
  offloader_->send(ticket, 1, kPicture);
  answerAll(kB);
  transport_.advance(60ms);
  ASSERT_EQ(lateCalls_, 1);
  EXPECT_EQ(late_[0].error, kA + ": the deadline came before the part was sent");
  offloader_->send(ticket, 0, kPicture);
  ASSERT_EQ(toA().size(), 1U);
  transport_.advance(100ms);
  answerAll(kA);
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].state, AnswerState::Answered);
  // It is not waited for without end either.
  const auto other = begin({0}, 50ms);
  transport_.advance(60ms);
  offloader_->send(other, 0, kPicture);
  transport_.advance(10s);
  EXPECT_EQ(calls_, 2);
}

TEST_F(OffloaderLateTest, APartThatFailsAfterItsDeadlineGoesElsewhereWhileItIsWorthHaving) {
  const auto answerSlowly = [&] {
    transport_.advance(300ms);
    answerAll(kB);
  };
  answerOnce(0, kA);
  sendFrame({1});
  answerSlowly();
  calls_ = 0;
  sendWorthMore({0});
  transport_.advance(100ms);
  transport_.reply(toA().at(0), text(500, "oops"));
  ASSERT_EQ(toB().size(), 1U);
  answerSlowly();
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].server, 1);

  answerOnce(0, kA);
  sendWorthMore({0});
  transport_.advance(300ms);
  transport_.reply(toA().at(0), text(500, "oops"));
  EXPECT_TRUE(toB().empty());
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].state, AnswerState::Failed);
  EXPECT_EQ(answers_[0].error, kA + ": HTTP status 500, oops");
}

TEST_F(OffloaderLateTest, AnAbandonedFrameIsCancelledLearnedFromAndNeverCalledBack) {
  answerOnce(0, kA);
  sample_.reset();
  const auto ticket = sendWorthMore({0, 1});
  const auto other = sendWorthMore({0});
  transport_.advance(200ms);
  EXPECT_EQ(lateCalls_, 2);
  offloader_->abandon(ticket);
  EXPECT_EQ(toA().size(), 1U);
  EXPECT_TRUE(toB().empty());
  ASSERT_TRUE(sample_);
  EXPECT_TRUE(sample_->late);
  EXPECT_EQ(pool_.server(kB, "hog", 0)->state().outstanding, 0);
  offloader_->send(ticket, 0, kPicture);
  offloader_->abandon(ticket);
  EXPECT_EQ(calls_, 0);
  answerAll(kA);
  EXPECT_EQ(calls_, 1);
  offloader_->abandon(other);
}

TEST_F(OffloaderLateTest, DoneIsCalledAfterLateHasReturned) {
  const auto ticket = begin({0, 1}, 50ms);
  offloader_->send(ticket, 1, kPicture);
  inLate_ = [&] {
    offloader_->fail(ticket, 0, "cannot be encoded");
    answerAll(kB);
    EXPECT_EQ(calls_, 0);
  };
  transport_.advance(50ms);
  EXPECT_EQ(lateCalls_, 1);
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[1].state, AnswerState::Answered);
}

TEST_F(OffloaderLateTest, AFrameMayBeAbandonedFromInsideLate) {
  Offloader::Ticket ticket = 0;
  inLate_ = [&] { offloader_->abandon(ticket); };
  ticket = sendWorthMore({0});
  transport_.advance(10s);
  EXPECT_EQ(lateCalls_, 1);
  EXPECT_EQ(calls_, 0);
  EXPECT_TRUE(transport_.to("/infer").empty());
}

class OffloaderHedgingTest : public OffloaderTest {
 protected:
  OffloaderHedgingTest() { hedging_ = 0.05; }

  void SetUp() override {
    openReady();
    answerOne();
  }
  /** Of a server that has never answered nobody knows what is late. */
  void answerOne() {
    sendFrame({0});
    transport_.reply(toA()[0], good(toA()[0]));
    calls_ = 0;
  }

  std::vector<Transport::Handle> toA() const { return transport_.to(kA + "/v2/models/hog/infer"); }
  std::vector<Transport::Handle> toB() const { return transport_.to(kB + "/v2/models/hog/infer"); }
  /** Longer than any answer is late by. */
  static constexpr auto kLate = 100ms;
};

TEST_F(OffloaderHedgingTest, APartThatIsLateGoesToAnotherServerTooAndTheFirstAnswerCounts) {
  sendFrame({0});
  EXPECT_TRUE(toB().empty());
  transport_.advance(kLate);
  ASSERT_EQ(toB().size(), 1U);
  ASSERT_EQ(toA().size(), 1U);
  transport_.reply(toB()[0], good(toB()[0], 7));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].detections.at(0).score, 7);
  EXPECT_EQ(answers_[0].server, 1);
  EXPECT_EQ(answers_[0].attempts, 2);
  EXPECT_EQ(answers_[0].bytesSent, 2 * kPicture.data.size());
  EXPECT_TRUE(toA().empty()) << "nobody waits for it";
  EXPECT_EQ(offloader_->stats().partsHedged, 1U);
  EXPECT_EQ(offloader_->stats().hedgesWon, 1U);
}

TEST_F(OffloaderHedgingTest, BothRequestsCarryTheSamePictureInMemory) {
  sendFrame({0});
  transport_.advance(kLate);
  ASSERT_EQ(toB().size(), 1U);
  const Block& first = transport_.requests.at(toA()[0]).request.body.back();
  EXPECT_EQ(*first, kPicture.data);
  EXPECT_EQ(transport_.requests.at(toB()[0]).request.body.back(), first);
}

TEST_F(OffloaderHedgingTest, TheFirstServerMayStillWin) {
  sendFrame({0});
  transport_.advance(kLate);
  transport_.reply(toA()[0], good(toA()[0]));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].server, 0);
  EXPECT_TRUE(toB().empty());
  EXPECT_EQ(offloader_->stats().hedgesWon, 0U);
}

TEST_F(OffloaderHedgingTest, OneOfTwoThatFailsIsNoFailureOfThePart) {
  sendFrame({0});
  transport_.advance(kLate);
  transport_.reply(toB()[0], text(500, "oops"));
  EXPECT_EQ(calls_, 0);
  transport_.reply(toA()[0], good(toA()[0]));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].state, AnswerState::Answered);
  EXPECT_EQ(offloader_->stats().partsRetried, 0U);
}

TEST_F(OffloaderHedgingTest, ExtraRequestsStayWithinTheBudget) {
  constexpr int kFrames = 400;
  for (int i = 0; i < kFrames; ++i) {
    sendFrame({0});
    transport_.advance(kLate);
    transport_.reply(toA()[0], good(toA()[0]));
    // So that the next one is just as late for what is known of the server.
    transport_.advance(1s);
  }
  EXPECT_LE(offloader_->stats().partsHedged, HedgeBudget::kAtStart + 0.05 * (kFrames + 1));
  EXPECT_EQ(calls_, kFrames);
}

TEST_F(OffloaderHedgingTest, ThereIsNoneWithoutABudget) {
  offloader_->setHedging(0);
  sendFrame({0});
  transport_.advance(kLate);
  EXPECT_TRUE(toB().empty());
}

TEST_F(OffloaderHedgingTest, NorWhereTheOtherServerWouldBeLateToo) {
  sendFrame({0}, 6ms);
  transport_.advance(5ms);
  EXPECT_TRUE(toB().empty());
}

TEST_F(OffloaderHedgingTest, NorToTheSameEndpoint) {
  open({kA, kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  answerOne();
  sendFrame({0});
  transport_.advance(kLate);
  EXPECT_EQ(transport_.to("/infer").size(), 1U);
}

TEST_F(OffloaderHedgingTest, NorWhileNobodyKnowsWhatIsLate) {
  openReady();
  sendFrame({0}, std::nullopt);
  transport_.advance(ServerSet::kFirstSilence - 1s);
  EXPECT_TRUE(toB().empty());
}

TEST_F(OffloaderHedgingTest, AServerThatNeverAnswersItsFirstPartIsLeftOutToo) {
  openReady();
  sendFrame({0}, std::nullopt);
  waitWhileAnswering({kB});
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(lost_.size(), 1U);
}

TEST_F(OffloaderHedgingTest, OfTwoServersThatGoSilentTheThirdAnswers) {
  open({kA, kB, kC});
  for (const auto handle : transport_.to("/v2/models/hog")) transport_.reply(handle, metadata());
  for (const int server : {0, 1, 2}) {
    sendFrame({server});
    for (const std::string& url : {kA, kB, kC}) answerAll(url);
  }
  calls_ = 0;
  sendFrame({0}, std::nullopt);
  waitWhileAnswering({kC});
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].server, 2);
}

TEST_F(OffloaderHedgingTest, AServerThatComesBackTakesOverFromOneThatHasGoneSilent) {
  failThrice(1);
  offloader_->abandonAll();
  calls_ = 0;
  sendFrame({0}, std::nullopt);
  while (healthQuestions() == 0) transport_.advance(100ms);
  revive(kB);
  waitWhileAnswering({kB});
  EXPECT_EQ(calls_, 1);
}

/** There is one server, and frames have no deadline. */
class OffloaderOnlyServer : public OffloaderTest {
 protected:
  void SetUp() override {
    open({kA});
    transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
    sendFrame({0}, std::nullopt);
  }
  Transport::Handle healthQuestion() {
    for (int i = 0; i < 1000 && healthQuestions() == 0; ++i) transport_.advance(100ms);
    return transport_.to("/v2/health/ready").at(0);
  }
};

TEST_F(OffloaderOnlyServer, ThatIsSilentAndNotReadyIsLeftOutUntilItIsBack) {
  const auto begun = transport_.now();
  healthQuestion();
  EXPECT_LE(transport_.now() - begun, ServerSet::kFirstSilence + 1s);
  EXPECT_EQ(calls_, 0);
  transport_.advance(ServerSet::kHealthTimeout);
  EXPECT_EQ(lost_, std::vector{kA + ": does not answer"});
  EXPECT_EQ(left_, 0);
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].state, AnswerState::Failed);
  healthQuestion();
  revive(kA);
  sendFrame({0}, std::nullopt);
  answerAll(kA);
  EXPECT_EQ(answers_.at(0).state, AnswerState::Answered);
  EXPECT_TRUE(silent_.empty());
}

TEST_F(OffloaderOnlyServer, ThatIsSilentButReadyIsWaitedForAndReportedOnce) {
  for (int i = 0; i < 3; ++i) {
    const auto begun = transport_.now();
    transport_.reply(healthQuestion(), text(200, ""));
    EXPECT_GE(transport_.now() - begun, ServerSet::kFirstSilence);
  }
  EXPECT_TRUE(lost_.empty());
  EXPECT_EQ(calls_, 0);
  ASSERT_EQ(silent_.size(), 1U);
  EXPECT_EQ(silent_[0].first, kA);
  EXPECT_EQ(silent_[0].second, 5s);
  answerAll(kA);
  EXPECT_EQ(answers_.at(0).state, AnswerState::Answered);
  sendFrame({0}, std::nullopt);
  transport_.reply(healthQuestion(), text(200, ""));
  EXPECT_EQ(silent_.size(), 2U);
}

TEST_F(OffloaderOnlyServer, ThatAnswersAPartWhileItsHealthIsAskedIsNotLeftOut) {
  const auto question = healthQuestion();
  answerAll(kA);
  transport_.reply(question, text(500, "busy"));
  EXPECT_TRUE(lost_.empty());
  EXPECT_TRUE(silent_.empty());
}

TEST_F(OffloaderHedgingTest, WhatARemovedServerDoesNotAnswerGoesElsewhere) {
  sendFrame({0}, std::nullopt);
  offloader_->setServers({kB});
  waitWhileAnswering({kB});
  EXPECT_EQ(calls_, 1);
}

TEST_F(OffloaderHedgingTest, ASlowServerIsNotLeftOutForOneAnswerThatIsLate) {
  offloader_->setHedging(0);
  for (int i = 0; i < 60; ++i) {
    sendFrame({0}, 10s);
    transport_.advance(600ms);
    answerAll(kA);
    answerAll(kB);
  }
  lost_.clear();
  sendFrame({0}, 10s);
  transport_.advance(1s);
  answerAll(kA);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderHedgingTest, AServerThatGoesSilentIsLeftOutLongBeforeTheDeadline) {
  const auto begun = transport_.now();
  while (lost_.empty() && transport_.now() - begun < 10s) {
    sendFrame({0, 0}, 10s);
    while (calls_ == 0) {
      transport_.advance(10ms);
      for (const auto handle : toB()) transport_.reply(handle, good(handle));
    }
    for (const PartAnswer& answer : answers_) EXPECT_EQ(answer.state, AnswerState::Answered);
    calls_ = 0;
  }
  EXPECT_LE(transport_.now() - begun, ServerSet::kSilence + kLate);
  EXPECT_EQ(lost_, std::vector{kA + ": does not answer"});
}

TEST_F(OffloaderHedgingTest, AServerThatStallsForAMomentIsNot) {
  for (int i = 0; i < 5; ++i) {
    sendFrame({0, 0, 0, 0}, 10s);
    transport_.advance(kLate);
    for (const auto handle : toA()) transport_.reply(handle, good(handle));
    for (const auto handle : toB()) transport_.reply(handle, good(handle));
  }
  EXPECT_TRUE(lost_.empty());
  EXPECT_EQ(calls_, 5);
}

TEST_F(OffloaderHedgingTest, TheLastServerIsWaitedFor) {
  open({kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  answerOne();
  sendFrame({0}, 10s);
  transport_.advance(5s);
  EXPECT_TRUE(lost_.empty());
  EXPECT_EQ(toA().size(), 1U);
}

TEST_F(OffloaderHedgingTest, WhatIsUnderWayToAServerThatIsLeftOutGoesElsewhereAtOnce) {
  offloader_->setHedging(0);
  sendFrame({0, 0, 0, 0}, std::nullopt);
  ASSERT_EQ(toA().size(), 4U);
  for (int i = 0; i < 3; ++i) transport_.reply(toA()[0], {.error = "Connection reset"});
  EXPECT_TRUE(toA().empty());
  EXPECT_EQ(toB().size(), 4U);
  for (const auto handle : toB()) transport_.reply(handle, good(handle));
  ASSERT_EQ(calls_, 1);
  for (const PartAnswer& answer : answers_) EXPECT_EQ(answer.state, AnswerState::Answered);
}

TEST_F(OffloaderTest, APartGoesFromServerToServerUntilOneAnswers) {
  open({kA, kB, kC});
  for (const auto handle : transport_.to("/v2/models/hog")) transport_.reply(handle, metadata());
  sendFrame({0});
  transport_.reply(transport_.to("/infer").at(0), text(500, "oops"));
  transport_.reply(transport_.to("/infer").at(0), text(500, "oops"));
  transport_.reply(transport_.to("/infer").at(0), text(500, "oops"));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].attempts, 3);
  EXPECT_TRUE(transport_.to("/infer").empty()) << "each server once";
}

TEST_F(OffloaderTest, AServerThatIsReadyButDoesNotInferStaysOut) {
  openReady();
  for (int i = 0; i < 3; ++i) {
    sendFrame({0}, 1ms);
    transport_.reply(transport_.to("/infer").at(0), text(500, "oops"));
  }
  transport_.advance(ServerSet::kFirstPause);
  transport_.reply(transport_.to("/v2/health/ready").at(0), text(200, ""));
  transport_.reply(transport_.to(kA + "/v2/models/hog").at(0), metadata());
  EXPECT_FALSE(offloader_->capacity().servers[0].healthy) << "not before its trial";
  transport_.advance(ServerSet::kQuestionTimeout);
  EXPECT_FALSE(offloader_->capacity().servers[0].healthy);
  EXPECT_TRUE(back_.empty());
  EXPECT_EQ(lost_.size(), 1U) << "told once";
  EXPECT_EQ(failedProbes_.size(), 1U);
}

class OffloaderAndAChangedModel : public OffloaderTest {
 protected:
  static HttpReply changed() {
    wire::ModelMetadata metadata;
    metadata.name = "hog";
    metadata.platform = "elf";
    metadata.rules.emplace().labels = {"cat", "dog"};
    metadata.rules->fixedSize = {64, 32};
    return text(200, wire::encodeMetadata(metadata));
  }
  /** A says this when it is asked next. */
  void tellLater(const HttpReply& reply) {
    transport_.advance(ServerSet::kDescribedAgain);
    const auto asked = transport_.to(kA + "/v2/models/hog");
    ASSERT_EQ(asked.size(), 1U);
    transport_.reply(asked[0], reply);
  }
};

TEST_F(OffloaderAndAChangedModel, LabelsAndSizesAreThoseOfTheNewModel) {
  openReady();
  tellLater(metadata());
  EXPECT_EQ(offloader_->capacity().rules.labels, Labels({"person"}));
  tellLater(changed());
  EXPECT_EQ(offloader_->capacity().rules.fixedSize, (Size{64, 32}));
  sendFrame({0});
  answerAll(kA);
  ASSERT_EQ(answers_.at(0).detections.size(), 1U);
  EXPECT_EQ(answers_[0].detections[0].label, "cat");
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderAndAChangedModel, IsAskedForAgainAndAgainWhateverTheReply) {
  openReady();
  tellLater(text(404, "is being loaded"));
  tellLater({.error = "Connection reset"});
  tellLater(text(200, "{"));
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
  EXPECT_EQ(offloader_->capacity().rules.labels, Labels({"person"}));
  tellLater(changed());
  tellLater(metadata());
  EXPECT_EQ(offloader_->capacity().rules.labels, Labels({"person"}));
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderTest, RetryAfterIsWaitedFor) {
  openReady();
  for (int i = 0; i < 3; ++i) {
    sendFrame({0}, 1ms);
    HttpReply broken = text(500, "broken");
    broken.retryAfter = 10s;
    transport_.reply(transport_.to("/infer").at(0), broken);
  }
  ASSERT_EQ(lost_.size(), 1U);
  transport_.advance(9900ms);
  EXPECT_TRUE(transport_.to("/v2/health/ready").empty());
  transport_.advance(200ms);
  EXPECT_EQ(transport_.to("/v2/health/ready").size(), 1U);
}

TEST_F(OffloaderTest, RetryAfterHoldsForOnePauseOnly) {
  openReady();
  HttpReply broken = text(500, "broken");
  broken.retryAfter = 20s;
  failThrice(0, broken);
  transport_.advance(20100ms);
  ASSERT_EQ(healthQuestions(), 1U);
  transport_.reply(transport_.to("/v2/health/ready").at(0), {.error = "Connection refused"});
  transport_.advance(ServerSet::kFirstPause * 2);
  EXPECT_EQ(healthQuestions(), 1U);
}

TEST_F(OffloaderTest, AServerThatIsBusyIsPreferredLessForAsLongAsItSaysAndNotLeftOut) {
  openReady();
  HttpReply busy = text(503, "busy");
  busy.retryAfter = 10s;
  for (int i = 0; i < 2 * ServerSet::kErrorsInARow; ++i) {
    sendFrame({0});
    transport_.reply(transport_.to(kA + "/v2/models/hog/infer").at(0), busy);
    ASSERT_EQ(transport_.to(kB + "/v2/models/hog/infer").size(), 1U) << "it goes elsewhere";
    answerAll(kB);
    ASSERT_EQ(calls_, i + 1);
    EXPECT_EQ(answers_[0].state, AnswerState::Answered);
  }
  EXPECT_TRUE(lost_.empty());
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
  EXPECT_GE(offloader_->capacity().servers[0].busy, 10);
  EXPECT_EQ(offloader_->capacity().servers[1].busy, 0);
  EXPECT_EQ(offloader_->bestServer({100, 100}), 1);

  // Nobody else is in time: it fails as it would at any server.
  sendFrame({1});
  transport_.reply(transport_.to(kB + "/v2/models/hog/infer").at(0), text(500, "oops"));
  EXPECT_TRUE(transport_.to("/infer").empty());
  EXPECT_EQ(answers_[0].state, AnswerState::Failed);

  transport_.advance(10s);
  EXPECT_EQ(offloader_->capacity().servers[0].busy, 0);
}

TEST_F(OffloaderTest, AServerWhoseGatewayLimitsTheRateIsBusyToo) {
  openReady();
  HttpReply limited = text(429, "too many requests");
  limited.retryAfter = 10s;
  for (int i = 0; i < 2 * ServerSet::kErrorsInARow; ++i) {
    sendFrame({0});
    transport_.reply(transport_.to(kA + "/v2/models/hog/infer").at(0), limited);
    answerAll(kB);
    EXPECT_EQ(answers_[0].state, AnswerState::Answered);
  }
  EXPECT_TRUE(lost_.empty());
  EXPECT_GE(offloader_->capacity().servers[0].busy, 10);
}

TEST_F(OffloaderTest, AServerThatOnlySaysThatItIsBusyIsNotSilent) {
  openReady();
  HttpReply busy = text(503, "busy");
  busy.retryAfter = 1s;
  for (int i = 0; i < 20; ++i) {
    sendFrame({0});
    transport_.advance(900ms);
    transport_.reply(transport_.to(kA + "/v2/models/hog/infer").at(0), busy);
  }
  EXPECT_TRUE(lost_.empty());
}

TEST_F(OffloaderTest, ServersThatAreNotReadyMaySayWhenToAskAgain) {
  openReady();
  failThrice(0);
  transport_.advance(ServerSet::kFirstPause);
  HttpReply loading = text(503, "loading");
  loading.retryAfter = 20s;
  transport_.reply(transport_.to("/v2/health/ready").at(0), loading);
  transport_.advance(19s);
  EXPECT_EQ(healthQuestions(), 0U);
}

TEST_F(OffloaderTest, AServerThatInfersInTrialsOnlyIsOneWarning) {
  open({kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  for (int i = 0; i < 10; ++i) {
    failThrice(0);
    while (healthQuestions() == 0) transport_.advance(100ms);
    revive(kA);
  }
  EXPECT_EQ(lost_.size(), 1U);
  EXPECT_TRUE(back_.empty());
}

TEST_F(OffloaderTest, WithAllServersGoneEachIsAskedAgainSoon) {
  openReady();
  const auto fail = [&](int server) {
    sendFrame({server}, 1ms);
    transport_.reply(transport_.to("/infer").at(0), {.error = "Connection refused"});
  };
  for (int i = 0; i < 3; ++i) fail(0);
  // A's pauses grow, while B is up.
  for (int i = 0; i < 6; ++i) {
    while (transport_.to("/v2/health/ready").empty()) transport_.advance(100ms);
    transport_.reply(transport_.to("/v2/health/ready").at(0), {.error = "Connection refused"});
  }
  for (int i = 0; i < 3; ++i) fail(1);
  EXPECT_EQ(left_, 0);
  transport_.advance(ServerSet::kFirstPause);
  EXPECT_EQ(transport_.to("/v2/health/ready").size(), 2U);
  revive(kA);
  revive(kB);
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
  EXPECT_TRUE(offloader_->capacity().servers[1].healthy);
}

class OffloaderServersTest : public OffloaderTest {
 protected:
  std::vector<std::string> usable() const {
    std::vector<std::string> urls;
    for (const ServerState& server : offloader_->capacity().servers)
      if (server.healthy) urls.push_back(server.url);
    return urls;
  }
  int numberOf(const std::string& url) const {
    const auto servers = offloader_->capacity().servers;
    return static_cast<int>(std::ranges::find(servers, url, &ServerState::url) - servers.begin());
  }
};

TEST_F(OffloaderServersTest, AServerThatIsAddedIsUsedOnceItHasInferred) {
  openReady();
  offloader_->setServers({kA, kB, kC});
  EXPECT_EQ(usable(), (std::vector{kA, kB}));
  EXPECT_EQ(numberOf(kB), 1) << "numbers stay";
  pool_.server(kC, "hog", 0)->endProbe(true);
  tell(kC);
  EXPECT_EQ(usable(), (std::vector{kA, kB, kC}));
  sendFrame({2});
  answerAll(kC);
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(back_, std::vector{kC});
}

TEST_F(OffloaderServersTest, AServerThatIsRemovedAnswersWhatItHasAndGetsNothingMore) {
  openReady();
  sendFrame({0}, std::nullopt);
  offloader_->setServers({kB});
  EXPECT_EQ(usable(), std::vector{kB});
  EXPECT_EQ(numberOf(kB), 1);
  const auto a = transport_.to(kA + "/v2/models/hog/infer").at(0);
  transport_.reply(a, good(a));
  EXPECT_EQ(calls_, 1);
  sendFrame({0});
  EXPECT_EQ(transport_.to(kB + "/v2/models/hog/infer").size(), 1U);
  EXPECT_TRUE(lost_.empty()) << "that is no failure";
}

TEST_F(OffloaderServersTest, AServerThatIsNamedTwiceMayBeNamedOnce) {
  open({kA, kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  offloader_->setServers({kA});
  EXPECT_EQ(usable(), std::vector{kA});
  offloader_->setServers({kA, kA});
  EXPECT_EQ(usable(), (std::vector{kA, kA})) << "it is the same endpoint, which is up";
}

TEST_F(OffloaderServersTest, AServerThatIsAddedWithoutTheModelIsLeftOutUntilItHasIt) {
  openReady();
  offloader_->setServers({kA, kB, kC});
  transport_.reply(transport_.to(kC + "/v2/models/hog").at(0), text(404, "{}"));
  EXPECT_TRUE(missing_.empty()) << "the pipeline need not end for that";
  pool_.server(kC, "hog", 0)->endProbe(true);
  transport_.advance(ServerSet::kFirstPause);
  revive(kC);
  EXPECT_EQ(usable().size(), 3U);
}

TEST_F(OffloaderServersTest, ThePlaceOfARemovedServerIsTakenAgainAfterAWhile) {
  openReady();
  for (int i = 0; i < 50; ++i) {
    offloader_->setServers({kA, "http://10.0.1." + std::to_string(i) + ":1"});
    transport_.advance(ServerSet::kKeptPlace);
  }
  EXPECT_LE(offloader_->capacity().servers.size(), 4U);
}

TEST_F(OffloaderServersTest, WhereTheLastOneThatIsUpIsRemovedTheOthersAreAskedSoon) {
  openReady();
  failThrice(1);
  for (int i = 0; i < 7; ++i) {
    while (healthQuestions() == 0) transport_.advance(100ms);
    transport_.reply(transport_.to("/v2/health/ready").at(0), {.error = "Connection refused"});
  }
  offloader_->setServers({kB});
  transport_.advance(ServerSet::kFirstPause);
  EXPECT_EQ(healthQuestions(), 1U);
}

TEST_F(OffloaderServersTest, TheRulesAreThoseOfTheServersThatAreLeft) {
  open({kA});
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  offloader_->setServers({kB});
  EXPECT_EQ(offloader_->capacity().rules.label(0), "person") << "until the others have told";
  wire::ModelMetadata other{.name = "hog"};
  other.rules.emplace().labels = {"cat"};
  transport_.reply(transport_.to(kB + "/v2/models/hog").at(0),
                   text(200, wire::encodeMetadata(other)));
  EXPECT_EQ(offloader_->capacity().rules.label(0), "cat");
}

TEST_F(OffloaderServersTest, TwoNamesOfOneAddressAreTwoServers) {
  open({"http://a.example", "http://b.example"});
  transport_.resolve("a.example", {"10.9.0.1", "10.9.0.2"});
  transport_.resolve("b.example", {"10.9.0.1", "10.9.0.2"});
  const auto asked = std::ranges::count_if(transport_.requests, [](const auto& sent) {
    return sent.second.request.host == "b.example";
  });
  EXPECT_EQ(asked, 2);
}

TEST_F(OffloaderServersTest, ANameThatGetsASecondAddressStaysUp) {
  open({"http://detector.svc:8000"});
  transport_.resolve("detector.svc", {"10.1.0.1"});
  transport_.reply(transport_.to("/v2/models/hog").at(0), metadata());
  transport_.advance(ServerSet::kLookUpAgain);
  transport_.resolve("detector.svc", {"10.1.0.1", "10.1.0.2"});
  EXPECT_EQ(usable().size(), 2U);
  EXPECT_EQ(offloader_->capacity().rules.label(0), "person");
  sendFrame({0});
  EXPECT_EQ(calls_, 0);
}

TEST_F(OffloaderServersTest, WhatWasSentBeforeANameWasLookedUpIsThatServersStill) {
  open({"http://detector.svc:8000"});
  sendFrame({0}, 5s);
  const auto handle = transport_.to("/infer").at(0);
  transport_.resolve("detector.svc", {"10.1.0.2", "10.1.0.1"});
  transport_.reply(handle, good(handle));
  ASSERT_EQ(calls_, 1);
  EXPECT_EQ(offloader_->capacity().servers.at(static_cast<std::size_t>(answers_[0].server)).url,
            "http://detector.svc:8000");
  EXPECT_EQ(pool_.server("http://detector.svc:8000", "hog", 0)->state().outstanding, 0);
}

TEST_F(OffloaderServersTest, EachAddressOfANameIsAServer) {
  pool_.server("http://10.1.0.1:8000#detector.svc", "hog", 0)->endProbe(true);
  pool_.server("http://10.1.0.2:8000#detector.svc", "hog", 0)->endProbe(true);
  open({"http://detector.svc:8000"});
  EXPECT_TRUE(transport_.requests.empty()) << "it is not known yet whom to ask";
  transport_.resolve("detector.svc", {"10.1.0.2", "10.1.0.1", "fd00::1"});
  for (const auto handle : transport_.to("/v2/models/hog")) {
    EXPECT_EQ(transport_.requests.at(handle).request.host, "detector.svc");
    transport_.reply(handle, metadata());
  }
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(usable(), (std::vector<std::string>{"http://10.1.0.1:8000", "http://10.1.0.2:8000"}));

  // One goes, another one comes.
  pool_.server("http://10.1.0.3:8000#detector.svc", "hog", 0)->endProbe(true);
  transport_.advance(ServerSet::kLookUpAgain);
  transport_.resolve("detector.svc", {"10.1.0.3", "10.1.0.2"});
  EXPECT_EQ(usable(), std::vector<std::string>{"http://10.1.0.2:8000"});
  tell("http://10.1.0.3:8000");
  EXPECT_EQ(usable().size(), 2U);

  // The name server is out of order: what was known holds.
  transport_.advance(ServerSet::kLookUpAgain);
  transport_.resolve("detector.svc", {});
  EXPECT_EQ(usable().size(), 2U);
}

TEST_F(OffloaderServersTest, ANameWithOneAddressIsUsedAsItIs) {
  open({"http://detector.svc:8000"});
  transport_.resolve("detector.svc", {"127.0.0.1", "::1"});
  ASSERT_EQ(transport_.to("http://detector.svc:8000/v2/models/hog").size(), 1U);
  EXPECT_TRUE(transport_.requests.begin()->second.request.host.empty());
}

TEST_F(OffloaderServersTest, ASlowNameServerIsNotWaitedForLong) {
  open({"http://detector.svc:8000"});
  transport_.advance(ServerSet::kQuestionTimeout);
  EXPECT_EQ(transport_.to("http://detector.svc:8000/v2/models/hog").size(), 1U);
  EXPECT_TRUE(transport_.lookUps.empty());
}

AnnouncedServer announced(const std::string& address, bool tls = false,
                          const std::string& model = "hog") {
  return {.host = "gpu.local", .address = address, .port = 8000, .tls = tls, .models = {model}};
}

TEST_F(OffloaderServersTest, AnnouncedServersComeAndGo) {
  for (const char* url : {"http://10.1.0.1:8000", "http://10.1.0.2:8000", "https://10.1.0.3:8000"})
    pool_.server(std::string(url) + "#gpu.local", "hog", 0)->endProbe(true);
  open({"avahi+http:"});
  EXPECT_TRUE(transport_.requests.empty()) << "it is not known yet whom to ask";
  transport_.announce({.servers = {announced("10.1.0.1"), announced("10.1.0.2"),
                                   announced("10.1.0.1"), announced("10.1.0.9", false, "cat")}});
  ASSERT_EQ(transport_.requests.size(), 2U) << "none is asked twice, nor for another model";
  for (const auto handle : transport_.to("/v2/models/hog")) {
    EXPECT_EQ(transport_.requests.at(handle).request.host, "gpu.local");
    transport_.reply(handle, metadata());
  }
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(usable(), (std::vector<std::string>{"http://10.1.0.1:8000", "http://10.1.0.2:8000"}));

  // Changes are taken after a pause.
  transport_.announce({.servers = {announced("10.1.0.2")}});
  transport_.announce({.servers = {announced("10.1.0.2"), announced("10.1.0.3", true)}});
  EXPECT_EQ(usable().size(), 2U);
  transport_.advance(ServerSet::kAnnouncedAgain);
  EXPECT_EQ(usable(), std::vector<std::string>{"http://10.1.0.2:8000"});
  tell("https://10.1.0.3:8000");
  EXPECT_EQ(usable().size(), 2U);
  EXPECT_TRUE(lost_.empty()) << "that is no failure";

  // The last ones go, and one is back.
  transport_.advance(ServerSet::kAnnouncedAgain);
  transport_.announce({});
  EXPECT_TRUE(usable().empty());
  EXPECT_EQ(lost_, std::vector<std::string>{
                       "avahi+http: no server that can be used announces the model 'hog'"});
  EXPECT_TRUE(transport_.requests.empty()) << "there is nobody to ask";
  transport_.advance(1min);
  EXPECT_TRUE(transport_.requests.empty());
  transport_.announce({.servers = {announced("10.1.0.2")}});
  tell("http://10.1.0.2:8000");
  EXPECT_EQ(usable(), std::vector<std::string>{"http://10.1.0.2:8000"});
  EXPECT_TRUE(ignored_.empty());
}

TEST_F(OffloaderServersTest, AnnouncedServersWithoutTlsAreIgnoredUnlessTheyAreAskedFor) {
  open({"avahi:", kA});
  transport_.announce({.servers = {announced("10.1.0.1"), announced("10.1.0.2", true),
                                   announced("10.1.0.3", false, "cat")}});
  EXPECT_EQ(transport_.to("https://10.1.0.2:8000/").size(), 1U);
  EXPECT_EQ(transport_.to(kA).size(), 1U) << "others may be beside them";
  EXPECT_EQ(transport_.requests.size(), 2U);
  const std::vector<std::string> once{
      "avahi: ignores what is announced without TLS: gpu.local:8000 (avahi+http: takes it)"};
  EXPECT_EQ(ignored_, once);
  transport_.advance(ServerSet::kAnnouncedAgain);
  transport_.announce({.servers = {announced("10.1.0.4"), announced("10.1.0.2", true)}});
  EXPECT_EQ(ignored_, once);
}

TEST_F(OffloaderServersTest, NothingAnnouncedIsOneWarningAndHoldsNothingUp) {
  open({"avahi+http:"});
  transport_.advance(ServerSet::kQuestionTimeout);
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(lost_, std::vector<std::string>{
                       "avahi+http: no server that can be used announces the model 'hog'"});
  EXPECT_EQ(offloader_->capacity().servers.size(), 1U);
  transport_.announce({.servers = {announced("10.1.0.1")}});
  transport_.advance(ServerSet::kAnnouncedAgain);
  EXPECT_EQ(transport_.to("http://10.1.0.1:8000/v2/models/hog").size(), 1U);
}

TEST_F(OffloaderServersTest, WithoutAvahiTheWarningSaysWhy) {
  open({"avahi+http:"});
  transport_.announce({.fault = "the Avahi daemon does not run"});
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(lost_,
            std::vector<std::string>{"avahi+http: finds no server: the Avahi daemon does not run"});
}

TEST_F(OffloaderServersTest, AnAnnouncedServerThatLacksItsModelEndsNothing) {
  open({"avahi+http:"});
  transport_.announce({.servers = {announced("10.1.0.1")}});
  transport_.reply(transport_.to("/v2/models/hog").at(0), text(404, "{}"));
  EXPECT_TRUE(missing_.empty()) << "anybody can announce anything";
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(lost_.size(), 1U);
}

TEST_F(OffloaderServersTest, NothingIsBrowsedForServersThatAreNoLongerWanted) {
  open({"avahi+http:"});
  EXPECT_EQ(transport_.browsers.size(), 1U);
  offloader_->setServers({kA});
  EXPECT_TRUE(transport_.browsers.empty());
  offloader_->setServers({"avahi+http:", kA});
  EXPECT_EQ(transport_.browsers.size(), 1U);
  offloader_.reset();
  EXPECT_TRUE(transport_.browsers.empty());
}

TEST(ServerUrl, AnnouncedServersNeedWhatVouchesForThem) {
  const ClientSecurity none, authorities{.caFile = "ca.pem"}, token{.tokenFile = "token"};
  EXPECT_THROW(checkAnnounced({"avahi:"}, none), Error);
  EXPECT_NO_THROW(checkAnnounced({"avahi:"}, authorities));
  EXPECT_NO_THROW(checkAnnounced({"avahi+http:", "http://a"}, none));
  EXPECT_THROW(checkAnnounced({"http://a", "avahi+http:"}, token), Error);
  EXPECT_NO_THROW(checkAnnounced({"http://a"}, token));
  EXPECT_FALSE(goesInClear("avahi:"));
  EXPECT_TRUE(goesInClear("avahi+http:"));
}

TEST(ServerUrl, TheHostIsANameOrAnAddress) {
  EXPECT_EQ(hostOf("http://detector.svc:8000/x"), "detector.svc");
  EXPECT_EQ(hostOf("https://[fd00::1]:80"), "fd00::1");
  EXPECT_TRUE(isAddress("fd00::1"));
  EXPECT_TRUE(isAddress("10.0.0.1"));
  EXPECT_FALSE(isAddress("localhost"));
  EXPECT_EQ(withHost("http://detector:8000/x", "10.0.0.1"), "http://10.0.0.1:8000/x");
  EXPECT_EQ(withHost("https://detector", "fd00::1"), "https://[fd00::1]");
  EXPECT_EQ(withHost("http://detector/%C3%9C%2Fx%FF", "10.0.0.1"), "http://10.0.0.1/%C3%9C%2Fx%FF");
}

TEST(Lateness, IsWhatOneOfTwentyAnswersExceeds) {
  Lateness lateness;
  EXPECT_EQ(lateness.factor(), Lateness::kUnknown);
  for (std::size_t i = 0; i < Lateness::kWindow; ++i)
    lateness.add(0.1, i % 20 == 0 ? 1.0 : 0.1 + 0.01 * static_cast<double>(i % 20));
  EXPECT_NEAR(lateness.factor(), 2.9, 1e-9);
  for (std::size_t i = 0; i < Lateness::kWindow; ++i) lateness.add(0.1, 0.1);
  EXPECT_EQ(lateness.factor(), Lateness::kLeast);
}

TEST(ParseServers, TakesTheListAsItIs) {
  EXPECT_EQ(parseServers(" http://a:1/ ,http://a:1,https://[::1]:80/x"),
            (std::vector<std::string>{"http://a:1", "http://a:1", "https://[::1]:80/x"}));
  EXPECT_EQ(parseServers("avahi:, avahi+http: ,http://a"),
            (std::vector<std::string>{"avahi:", "avahi+http:", "http://a"}));
}

TEST(ParseServers, NamesTheEntryAndWhatIsWrongWithIt) {
  const struct {
    const char *list, *why;
  } cases[] = {
      {"", "is empty"},
      {" , ", "is empty"},
      {"a:1", "'a:1' is not an http:// or https:// URL"},
      {"ftp://a", "'ftp://a' is not an http:// or https:// URL, avahi: or avahi+http:"},
      {"avahi://a", "'avahi://a' is not an http:// or https:// URL"},
      {"http://", "'http://' has no host"},
      {"http://:80", "'http://:80' has no host"},
      {"http://a:1,http://b:c", "'http://b:c' has a port that is not between 1 and 65535"},
      {"http://a:", "'http://a:' has a port that is not between 1 and 65535"},
      {"http://a:0/x", "'http://a:0/x' has a port that is not between 1 and 65535"},
      {"http://[::1]:70000", "'http://[::1]:70000' has a port that is not between 1 and 65535"},
      {"http://a,http://b c", "'http://b c' has a character that no base URL has"},
      {"http://a?x=1", "'http://a?x=1' has a character that no base URL has"},
      {"http://me@a:1", "a user name stands before 'a:1'"},
      {"https://me:secret@a:1/x", "a user name stands before 'a:1/x'"},
      {"http://b, http://me:sec/ret@a:1", "a user name stands before 'a:1'"},
      {"http://me:sec,ret@a:1", "a user name stands before 'a:1'"},
      {"http:/me:secret@a:1", "a user name stands before 'a:1'"},
      {"me:secret@a:1", "a user name stands before 'a:1'"},
  };
  for (const auto& [list, why] : cases) {
    try {
      parseServers(list);
      ADD_FAILURE() << list;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("servers: " + std::string(why)), 0U) << error.what();
    }
  }
}

TEST_F(OffloaderTest, ReportsTellTheCircuitOfEachServerThatIsWanted) {
  openReady();
  const auto circuits = [this] {
    std::vector<std::pair<std::string, CircuitBreaker::State>> seen;
    for (const ServerReport& report : offloader_->reports())
      seen.emplace_back(report.state.url, report.circuit);
    return seen;
  };
  using enum CircuitBreaker::State;
  using Circuits = decltype(circuits());
  EXPECT_EQ(circuits(), (Circuits{{kA, Closed}, {kB, Closed}}));
  for (int i = 0; i < ServerSet::kErrorsInARow; ++i) {
    sendFrame({0});
    transport_.reply(transport_.to(kA + "/v2/models/hog/infer").at(0), {.error = "reset"});
    const auto other = transport_.to(kB + "/v2/models/hog/infer").at(0);
    transport_.reply(other, good(other));
  }
  EXPECT_EQ(circuits(), (Circuits{{kA, Open}, {kB, Closed}}));
  transport_.advance(ServerSet::kFirstPause);
  transport_.reply(transport_.to(kA + "/v2/health/ready").at(0), text(200, ""));
  transport_.reply(transport_.to(kA + "/v2/models/hog").at(0), metadata());
  EXPECT_EQ(circuits(), (Circuits{{kA, HalfOpen}, {kB, Closed}}));
  offloader_->setServers({kB});
  EXPECT_EQ(circuits(), (Circuits{{kB, Closed}}));
}

}  // namespace
}  // namespace elf
