// SPDX-License-Identifier: LGPL-2.1-or-later
// The transport and servers that have to be trusted, or that want to know whom they serve.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>

#include "elf/base/error.h"
#include "elf/base/token_file.h"
#include "elf/client/client_security.h"
#include "elf/client/soup_transport.h"
#include "elf/servers/server_url.h"
#include "tests/support/certificates.h"
#include "tests/support/folder.h"
#include "tests/support/stub_server.h"

namespace elf {
namespace {

using elf::testing::Certificates;
using elf::testing::Folder;
using elf::testing::StubServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kToken = "Zm9vYmFy.-_~+/=";

/** `host` as in HttpRequest. */
HttpReply ask(const StubServer& server, const ClientSecurity& security,
              const std::string& host = {}) {
  SoupTransport transport("test-io", security);
  std::promise<HttpReply> reply;
  transport.send({.url = server.url() + "/v2/health/ready", .host = host},
                 [&](HttpReply got) { reply.set_value(std::move(got)); });
  return reply.get_future().get();
}

/** What the transport says against files that it can't use; "" where it takes them. */
std::string refusal(const ClientSecurity& security) {
  try {
    const SoupTransport transport("test-io", security);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

std::string written(const Folder& folder, const std::string& text) {
  std::ofstream(folder.file("file"), std::ios::binary) << text;
  return folder.file("file");
}

class Https : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!certificates_.made()) GTEST_SKIP() << "openssl 3 is needed to make certificates";
  }
  const Certificates certificates_;
};

TEST_F(Https, AServerThatTheAuthorityVouchesForIsTrusted) {
  const StubServer server({.certificate = certificates_.server()});
  EXPECT_EQ(ask(server, {.caFile = certificates_.ca()}).status, 200);
}

TEST_F(Https, TheFilesMayBeNamedAsSeenFromTheWorkingDirectory) {
  const StubServer server({.certificate = certificates_.server()});
  const std::string relative = std::filesystem::relative(certificates_.ca()).string();
  EXPECT_EQ(ask(server, {.caFile = relative}).status, 200) << relative;
}

TEST_F(Https, AServerOfAnotherAuthorityIsNotAndTheErrorSaysWhy) {
  const StubServer server({.certificate = certificates_.server()});
  for (const std::string& authority : {certificates_.stranger(), std::string()}) {
    const HttpReply reply = ask(server, {.caFile = authority});
    EXPECT_EQ(reply.status, 0);
    EXPECT_THAT(reply.error, AllOf(HasSubstr("certificate"), HasSubstr("unknown-ca"),
                                   Not(HasSubstr("bad-identity"))));
  }
}

TEST_F(Https, ACertificateOfAnotherHostIsNotTrusted) {
  const StubServer server({.certificate = certificates_.elsewhere()});
  const HttpReply reply = ask(server, {.caFile = certificates_.ca()});
  EXPECT_EQ(reply.status, 0);
  EXPECT_THAT(reply.error, AllOf(HasSubstr("bad-identity"), Not(HasSubstr("unknown-ca"))));
}

TEST_F(Https, OfAnAddressThatStandsForANameTheNameIsCompared) {
  const StubServer server({.certificate = certificates_.server()}),
      elsewhere({.certificate = certificates_.elsewhere()});
  const ClientSecurity security{.caFile = certificates_.ca()};
  EXPECT_EQ(ask(server, security, "localhost").status, 200);
  EXPECT_EQ(ask(elsewhere, security, "elsewhere.invalid").status, 200);
  // That the certificate is good for the address does not count.
  EXPECT_THAT(ask(server, security, "elsewhere.invalid").error, HasSubstr("bad-identity"));
}

TEST_F(Https, AConnectionServesNoNameButTheOneThatWasChecked) {
  // Both names are at this address, but its certificate is good for one only.
  const Folder folder;
  StubServer server({.certificate = certificates_.server(), .token = kToken});
  SoupTransport transport("test-io",
                          {.caFile = certificates_.ca(), .tokenFile = written(folder, kToken)});
  const auto ask = [&](const std::string& host) {
    std::promise<HttpReply> reply;
    transport.send({.url = server.url() + "/v2/models/hog", .host = host},
                   [&](HttpReply got) { reply.set_value(std::move(got)); });
    return reply.get_future().get();
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ask("localhost").status, 200);
    const HttpReply other = ask("elsewhere.invalid");
    EXPECT_EQ(other.status, 0);
    EXPECT_THAT(other.error, HasSubstr("bad-identity"));
  }
}

TEST_F(Https, AServerThatWantsToKnowItsClientsIsShownTheCertificate) {
  const StubServer server({.certificate = certificates_.server(), .clientCa = certificates_.ca()});
  const std::string ca = certificates_.ca();
  for (const auto& [certificate, key] :
       {std::pair{certificates_.client(), std::string()},
        std::pair{certificates_.clientCertificate(), certificates_.clientKey()}}) {
    const HttpReply reply =
        ask(server, {.caFile = ca, .clientCertificate = certificate, .clientKey = key});
    EXPECT_EQ(reply.status, 200) << reply.error;
  }
  for (const std::string& wrong : {std::string(), certificates_.strangeClient()}) {
    const HttpReply reply = ask(server, {.caFile = ca, .clientCertificate = wrong});
    EXPECT_EQ(reply.status, 0) << wrong;
    EXPECT_FALSE(reply.error.empty());
  }
}

TEST_F(Https, FilesThatCannotBeUsedAreErrorsThatNamePropertyAndFile) {
  const std::string absent = certificates_.file("absent.pem");
  EXPECT_THAT(refusal({.caFile = absent}), AllOf(HasSubstr("ca-file:"), HasSubstr(absent)));
  EXPECT_THAT(refusal({.caFile = certificates_.clientKey()}),
              AllOf(HasSubstr("ca-file:"), HasSubstr(certificates_.clientKey())));
  EXPECT_THAT(refusal({.clientCertificate = absent}),
              AllOf(HasSubstr("client-certificate:"), HasSubstr(absent)));
  EXPECT_THAT(refusal({.clientCertificate = certificates_.clientCertificate()}),
              HasSubstr("client-certificate:"))
      << "it lacks the key";
  EXPECT_THAT(
      refusal({.clientCertificate = certificates_.clientCertificate(), .clientKey = absent}),
      AllOf(HasSubstr("client-certificate:"), HasSubstr(absent)));
  EXPECT_THAT(refusal({.clientKey = certificates_.clientKey()}), HasSubstr("client-key:"));
}

TEST(Token, GoesWithEachRequestToTheServer) {
  const Folder folder;
  StubServer server({.token = kToken});
  EXPECT_EQ(ask(server, {}).status, 401);
  EXPECT_EQ(ask(server, {.tokenFile = written(folder, "another")}).status, 401);
  EXPECT_EQ(
      ask(server, {.tokenFile = written(folder, std::string(" \t") + kToken + "\r\n")}).status,
      200);
}

TEST(Token, DoesNotFollowARedirection) {
  const Folder folder;
  StubServer other;
  const StubServer server([&](const wire::InferRequest&) {
    return StubServer::Reply{.status = 307, .location = other.url() + "/v2/models/hog/infer"};
  });
  SoupTransport transport("test-io", {.tokenFile = written(folder, kToken)});
  wire::InferRequest request;
  request.id = "0.0.0.1";
  request.inputs.push_back(wire::rawImage(std::vector<std::uint8_t>(3), {1, 1}));
  const wire::Message message = wire::encode(request);
  std::promise<HttpReply> reply;
  transport.send(
      {.method = "POST",
       .url = server.url() + "/v2/models/hog/infer",
       .headers = {{"Inference-Header-Content-Length", std::to_string(message.jsonLength.value())}},
       .body = {toBlock(message.body)}},
      [&](HttpReply got) { reply.set_value(std::move(got)); });
  EXPECT_EQ(reply.get_future().get().status, 307);
  EXPECT_EQ(other.requests(), 0);
}

TEST(Token, AFileWithoutOneIsAnErrorThatNamesPropertyAndFileAndNotWhatIsInIt) {
  const Folder folder;
  for (const std::string& text :
       {std::string(), std::string(" \r\n\t"), std::string("two words"),
        std::string("line\nsecret"),
        std::string("s\xc3\xa9"
                    "cret"),
        std::string("secret\0", 7), std::string(kLongestToken + 1, 's')}) {
    const std::string file = written(folder, text);
    EXPECT_THAT(refusal({.tokenFile = file}),
                AllOf(HasSubstr("token-file:"), HasSubstr(file), Not(HasSubstr("secret"))));
  }
  EXPECT_EQ(refusal({.tokenFile = written(folder, std::string(kLongestToken, 's'))}), "");
  for (const std::string& file : {folder.file("absent"), folder.path()})
    EXPECT_THAT(refusal({.tokenFile = file}),
                AllOf(HasSubstr("token-file: cannot read"), HasSubstr(file)));
  EXPECT_THAT(refusal({.tokenFile = "/dev/zero"}), HasSubstr("token-file: '/dev/zero'"));
}

TEST(Token, WhatGoesToAnotherMachineWithoutTlsIsInClear) {
  for (const char* url : {"http://10.0.0.2:8000", "http://example.org", "http://[2001:db8::1]:80",
                          "http://127.0.0.1.example.org", "http://localhost.example.org"})
    EXPECT_TRUE(goesInClear(url)) << url;
  for (const char* url : {"https://10.0.0.2:8000", "http://127.0.0.1:8000", "http://127.8.9.1",
                          "http://[::1]:8000", "http://localhost:8000", "https://a/%FF"})
    EXPECT_FALSE(goesInClear(url)) << url;
}

}  // namespace
}  // namespace elf
