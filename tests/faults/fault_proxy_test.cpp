// SPDX-License-Identifier: LGPL-2.1-or-later
// The proxy does what its faults are called, or no other test here would mean anything.
#include "tests/support/fault_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>

#include "elf/client/soup_transport.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "tests/support/stub_server.h"

namespace elf::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class Proxy : public ::testing::Test {
 protected:
  static HttpRequest inference(const std::string& url, std::size_t bytes = 10) {
    wire::InferRequest request;
    request.id = "0.7.0.1";
    request.inputs.push_back(wire::encodedImage(std::vector<std::uint8_t>(bytes, 1)));
    wire::Message message = wire::encode(request);
    return {.method = "POST",
            .url = url + "/v2/models/hog/infer",
            .headers = {{"Inference-Header-Content-Length", std::to_string(*message.jsonLength)}},
            .body = {toBlock(std::move(message.body))}};
  }
  std::future<HttpReply> send(HttpRequest request) {
    auto reply = std::make_shared<std::promise<HttpReply>>();
    transport_.send(std::move(request), [reply](HttpReply got) { reply->set_value(got); });
    return reply->get_future();
  }
  HttpReply infer() { return send(inference(proxy_.url())).get(); }
  static Result<wire::InferResponse> parse(const HttpReply& reply) {
    return wire::parseResponse(reply.body, std::stoull(reply.jsonLength));
  }

  StubServer server_;
  FaultProxy proxy_{server_.url()};
  SoupTransport transport_{"test-io"};
};

TEST_F(Proxy, PassesRequestsAndAnswersAsTheyAre) {
  const HttpReply direct = send(inference(server_.url())).get();
  for (int i = 0; i < 3; ++i) {
    const HttpReply reply = infer();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, direct.body);
    EXPECT_EQ(reply.jsonLength, direct.jsonLength);
  }
  EXPECT_EQ(proxy_.requests(), 3);
  EXPECT_EQ(server_.requests(), 4);
}

TEST_F(Proxy, RefusesAndListensAgainOnTheSamePort) {
  for (int i = 0; i < 3; ++i) {
    proxy_.set(Fault::Refuse);
    EXPECT_THAT(infer().error, HasSubstr("refused"));
    proxy_.set(Fault::None);
    EXPECT_EQ(infer().status, 200);
  }
}

TEST_F(Proxy, CutsOffRequestsAndAnswers) {
  for (const Fault fault : {Fault::ResetRequest, Fault::ResetReply, Fault::LengthTooLong}) {
    proxy_.set(fault);
    const HttpReply reply = infer();
    EXPECT_EQ(reply.status, 0) << nameOf(fault);
    EXPECT_NE(reply.error, "") << nameOf(fault);
  }
  EXPECT_EQ(server_.requests(), 2) << "of a request that was cut off the server knows nothing";
}

TEST_F(Proxy, NeverAnswersAndEndsWithRequestsUnderWay) {
  for (const Fault fault : {Fault::BlackHole, Fault::Trickle}) {
    proxy_.set(fault);
    EXPECT_EQ(send(inference(proxy_.url())).wait_for(50ms), std::future_status::timeout)
        << nameOf(fault);
  }
}

TEST_F(Proxy, AnswersWithErrorsOfTheServer) {
  proxy_.set(Fault::ServerError);
  EXPECT_EQ(infer().status, 500);
  proxy_.set(Fault::Unavailable);
  EXPECT_EQ(infer().status, 503);
}

TEST_F(Proxy, ALengthTooShortCutsTheBody) {
  const std::size_t whole = infer().body.size();
  proxy_.set(Fault::LengthTooShort);
  EXPECT_EQ(infer().body.size(), whole / 2);
}

TEST_F(Proxy, FalsifiesWhatAnAnswerSays) {
  proxy_.set(Fault::GarbageJson);
  EXPECT_FALSE(wire::parseResponse(infer().body, std::nullopt));
  proxy_.set(Fault::ClaimedBillion);
  EXPECT_FALSE(parse(infer()));
  for (const Fault fault : {Fault::WrongShapes, Fault::NanBoxes, Fault::ManyBoxes}) {
    proxy_.set(fault);
    const HttpReply reply = infer();
    EXPECT_LE(reply.body.size(), kLongestReply);
    const auto response = parse(reply);
    ASSERT_TRUE(response) << nameOf(fault);
    EXPECT_FALSE(wire::decodeDetections(response.value(), {}, {64, 48})) << nameOf(fault);
  }
  proxy_.set(Fault::OtherId);
  const auto response = parse(infer());
  ASSERT_TRUE(response);
  EXPECT_NE(response.value().id, "0.7.0.1");
}

TEST_F(Proxy, ChoosesFaultsByItsSeed) {
  const auto drawn = [this](unsigned seed) {
    proxy_.choose({Fault::None, Fault::ServerError, Fault::Unavailable}, seed);
    std::vector<int> statuses;
    for (int i = 0; i < 20; ++i) statuses.push_back(infer().status);
    return statuses;
  };
  const std::vector<int> first = drawn(1);
  EXPECT_THAT(first, ::testing::Contains(200));
  EXPECT_THAT(first, ::testing::Contains(500));
  EXPECT_THAT(first, ::testing::Contains(503));
  EXPECT_EQ(drawn(1), first);
  EXPECT_NE(drawn(2), first);
}

TEST_F(Proxy, ThrottlesTheLink) {
  proxy_.throttle(80);
  const auto begun = std::chrono::steady_clock::now();
  auto one = send(inference(proxy_.url(), 500'000)), other = send(inference(proxy_.url(), 500'000));
  EXPECT_EQ(one.get().status, 200);
  EXPECT_EQ(other.get().status, 200);
  // A million bytes at ten million a second; the test's machine may add to it.
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 100ms);
}

}  // namespace
}  // namespace elf::testing
