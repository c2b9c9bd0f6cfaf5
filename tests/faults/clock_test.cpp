// SPDX-License-Identifier: LGPL-2.1-or-later
// Clocks that jump: the steady one over hours, as after a process was stopped or its machine
// suspended, the wall clock both ways, which nobody looks at.
#include <glib.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "elf/offload/offloader.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/fake_transport.h"
#include "tests/support/folder.h"
#include "tests/support/json_length.h"
#include "tests/support/silent_listener.h"
#include "tests/support/stub_server.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using testing::FakeTransport;
using testing::Folder;
using testing::StubServer;

const std::string kA = "http://10.0.0.1:1", kB = "http://10.0.0.2:2";

/** Two servers that were asked already, by a clock that the test moves. */
class Suspend : public ::testing::Test, public testing::SilentListener {
 protected:
  Suspend() {
    for (const std::string& url : {kA, kB}) pool_.server(url, "hog", 0)->endProbe(true);
    offloader_ = std::make_unique<Offloader>(
        OffloadSettings{.servers = {kA, kB}, .model = "hog", .hedging = 0}, pool_,
        transport_.client, *this);
    offloader_->start();
    for (const auto handle : transport_.to("/v2/models/hog")) transport_.reply(handle, metadata());
  }
  void onServerDown(const ServerDown& down) override { lost_.push_back(down.url); }

  static HttpReply metadata() {
    return text(wire::encodeMetadata({.name = "hog", .rules = ModelRules()}));
  }
  static HttpReply text(const std::string& body) {
    return {.status = 200, .body = {body.begin(), body.end()}};
  }
  /** A frame of one part for the first server, due in a second. */
  void send() {
    answers_.clear();
    Part part;
    part.rect = {0, 0, 100, 100};
    const auto ticket = offloader_->begin(++frame_, 0, {400, 300}, std::vector<Part>{part},
                                          transport_.now() + 1s, [this](auto answers) {
                                            ++done_;
                                            answers_ = std::move(answers);
                                          });
    offloader_->send(ticket, 0, wire::encodedImage(std::vector<std::uint8_t>(100, 7)));
  }
  void answer(const std::string& server) {
    const auto handle = transport_.to(server + "/v2/models/hog/infer").at(0);
    const auto& sent = transport_.requests.at(handle).request;
    const auto request = wire::parseRequest(joined(sent.body), testing::jsonLengthOf(sent));
    wire::InferResponse response{.model = "hog", .id = request.value().id};
    response.outputs = wire::encodeDetections({});
    const wire::Message made = wire::encode(response);
    transport_.reply(
        handle, {.status = 200, .body = made.body, .jsonLength = std::to_string(*made.jsonLength)});
  }
  /** Passes a frame that is answered within 10 ms. */
  void pass() {
    send();
    transport_.advance(10ms);
    answer(kA);
    ASSERT_EQ(answers_.size(), 1U);
    EXPECT_EQ(answers_[0].state, AnswerState::Answered);
  }
  double cost() const { return offloader_->capacity().servers.at(0).cost.seconds(10'000, 100); }

  FakeTransport transport_;
  ServerPool pool_;
  std::unique_ptr<Offloader> offloader_;
  std::uint64_t frame_ = 0;
  int done_ = 0;
  std::vector<PartAnswer> answers_;
  std::vector<std::string> lost_;
};

TEST_F(Suspend, AFrameUnderWayIsLateOnceAndTheNextOneIsAnsweredAsBefore) {
  for (int i = 0; i < 30; ++i) pass();
  const double before = cost();
  send();
  transport_.jump(5h);
  EXPECT_EQ(done_, 31);
  EXPECT_EQ(answers_.at(0).state, AnswerState::Late);
  EXPECT_TRUE(lost_.empty()) << "one suspend is no fault of the server";
  EXPECT_EQ(offloader_->capacity().servers.at(0).busy, 0);
  pass();
  EXPECT_LT(cost(), 4 * before) << "hours were taken for what the server costs";
}

TEST_F(Suspend, ManyFramesUnderWayAreNoFaultOfTheServerEither) {
  for (int i = 0; i < 30; ++i) pass();
  const double before = cost();
  for (int i = 0; i < 2 * ServerSet::kErrorsInARow; ++i) send();
  transport_.jump(10s);
  EXPECT_TRUE(lost_.empty());
  EXPECT_LT(cost(), 4 * before);
  pass();
}

TEST_F(Suspend, AnAnswerThatComesAfterHoursTeachesNoHours) {
  for (int i = 0; i < 30; ++i) pass();
  const double before = cost();
  // As where the reply is read before the timer is looked at: the deadline has not been noticed.
  answers_.clear();
  Part part;
  part.rect = {0, 0, 100, 100};
  const auto ticket =
      offloader_->begin(++frame_, 0, {400, 300}, std::vector<Part>{part}, std::nullopt,
                        [this](auto answers) { answers_ = std::move(answers); });
  offloader_->send(ticket, 0, wire::encodedImage(std::vector<std::uint8_t>(100, 7)));
  transport_.jump(5h);
  answer(kA);
  EXPECT_EQ(answers_.at(0).state, AnswerState::Answered);
  EXPECT_LT(cost(), 4 * before);
}

TEST_F(Suspend, AServerThatWasLeftOutIsAskedAtOnceAndComesBack) {
  for (int i = 0; i < ServerSet::kErrorsInARow; ++i) {
    send();
    transport_.reply(transport_.to(kA + "/v2/models/hog/infer").at(0), {.error = "reset"});
    answer(kB);
  }
  ASSERT_FALSE(offloader_->capacity().servers.at(0).healthy);
  transport_.advance(100ms);
  EXPECT_TRUE(transport_.to(kA + "/v2/health/ready").empty());
  transport_.jump(5h);
  const auto question = transport_.to(kA + "/v2/health/ready");
  ASSERT_EQ(question.size(), 1U) << "none, or one for each pause that went by";
  transport_.reply(question[0], {.status = 200});
  transport_.reply(transport_.to(kA + "/v2/models/hog").at(0), metadata());
  answer(kA);
  EXPECT_TRUE(offloader_->capacity().servers.at(0).healthy);
  pass();
}

/** The first of the files that Debian's package libfaketime has; empty without one. */
std::string faketime() {
  const std::filesystem::path libraries = "/usr/lib";
  std::error_code ignored;
  for (const auto& folder : std::filesystem::directory_iterator(libraries, ignored)) {
    const auto file = folder.path() / "faketime" / "libfaketimeMT.so.1";
    if (std::filesystem::exists(file, ignored)) return file;
  }
  return {};
}

TEST(WallClock, JumpsOfHoursBothWaysDelayNoFrameAndLoseNone) {
  const std::string library = faketime();
  if (library.empty()) GTEST_SKIP() << "libfaketime is not installed";
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "gst-launch-1.0 knows nothing of the sanitizer";
#endif
  const Folder folder;
  const std::string clock = folder.file("clock"), results = folder.file("results");
  const auto set = [&](const char* offset) {
    // At once for a reader: a new file in the place of the old one.
    std::ofstream(clock + ".new") << offset << "\n";
    std::filesystem::rename(clock + ".new", clock);
  };
  set("+0");
  int requests = 0;
  StubServer server([&](const wire::InferRequest& request) {
    if (!StubServer::isProbe(request)) {
      ++requests;
      if (requests == 10) set("+5h");
      if (requests == 20) set("-5h");
    }
    return StubServer::good(request);
  });
  const std::string launch =
      "videotestsrc is-live=true num-buffers=40 ! video/x-raw,width=64,height=48,framerate=60/1 ! "
      "elfoffload deadline=1000 servers=" +
      server.url() + " ! elfmerge results-location=" + results + " ! fakesink sync=true";
  gchar** environment = g_get_environ();
  for (const auto& [name, value] : {std::pair<const char*, std::string>{"LD_PRELOAD", library},
                                    {"FAKETIME_TIMESTAMP_FILE", clock},
                                    {"FAKETIME_NO_CACHE", "1"},
                                    {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}})
    environment = g_environ_setenv(environment, name, value.c_str(), TRUE);
  gchar** arguments = nullptr;
  ASSERT_TRUE(
      g_shell_parse_argv(("gst-launch-1.0 -q " + launch).c_str(), nullptr, &arguments, nullptr));
  gint status = -1;
  const auto begun = std::chrono::steady_clock::now();
  g_spawn_sync(nullptr, arguments, environment, G_SPAWN_SEARCH_PATH, nullptr, nullptr, nullptr,
               nullptr, &status, nullptr);
  g_strfreev(arguments);
  g_strfreev(environment);
  EXPECT_EQ(status, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
  EXPECT_EQ(requests, 40);
  std::ifstream lines(results);
  int frames = 0;
  for (std::string line; std::getline(lines, line); ++frames)
    EXPECT_NE(line.find("\"coasted\":false"), std::string::npos) << line;
  EXPECT_EQ(frames, 40);
}

}  // namespace
}  // namespace elf
