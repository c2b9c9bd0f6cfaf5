// SPDX-License-Identifier: LGPL-2.1-or-later
// What elfoffload and real servers of others said to one another (tests/interop/record.py): it
// still says the same, and understands them.
#include <glib.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "elf/offload/offloader.h"
#include "elf/servers/remote_network.h"
#include "tests/support/fake_transport.h"
#include "tests/support/json_length.h"
#include "tests/support/near.h"

namespace elf {
namespace {

using testing::expectNear;
using testing::FakeTransport;

const std::string kUrl = "http://10.0.0.1:8000";

/** A request or an answer, as it was recorded. */
struct Message {
  std::string first;
  /** By their names in lower case. */
  std::map<std::string, std::string> headers;
  std::vector<std::uint8_t> body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

Message recorded(const std::string& server, const std::string& name) {
  std::ifstream in(
      std::string(g_getenv("ELF_TEST_SOURCE_ROOT")) + "/tests/lib/exchanges/" + server + "/" + name,
      std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::size_t end = text.find("\r\n\r\n");
  EXPECT_NE(end, std::string::npos) << server << "/" << name;
  Message message;
  if (end == std::string::npos) return message;
  message.body.assign(text.begin() + static_cast<std::ptrdiff_t>(end) + 4, text.end());
  std::istringstream head(text.substr(0, end));
  std::getline(head, message.first);
  for (std::string line; std::getline(head, line);) {
    if (line.ends_with('\r')) line.pop_back();
    const std::size_t colon = line.find(": ");
    std::string key = line.substr(0, colon);
    std::ranges::transform(key, key.begin(), [](char c) { return g_ascii_tolower(c); });
    message.headers[key] = line.substr(colon + 2);
  }
  return message;
}

class Exchanges : public ::testing::TestWithParam<const char*>, public OffloadListener {
 protected:
  static std::string server() { return GetParam(); }

  /** The request to that path which is under way gets what it once got. */
  void reply(const std::string& path, const std::string& name) {
    const auto asked = transport_.to(kUrl + path);
    ASSERT_EQ(asked.size(), 1U) << path;
    const Message message = recorded(server(), name);
    transport_.reply(asked[0], {.status = 200,
                                .body = message.body,
                                .jsonLength = message.header("inference-header-content-length")});
    transport_.advance({});
  }

  void onReady() override { ready_ = true; }
  void onCostSample(const CostSample&) override {}
  void onProbeFailed(const std::string& why) override { ADD_FAILURE() << why; }
  void onServerDown(const ServerDown& down) override { ADD_FAILURE() << down.why; }
  void onServerUp(const std::string&) override {}
  void onPartsFail(const std::string& why) override { ADD_FAILURE() << why; }
  void onServerSilent(const std::string&, std::chrono::seconds) override { ADD_FAILURE(); }
  void onServersIgnored(const std::string&) override { ADD_FAILURE(); }
  void onModelMissing(const std::string& what, const std::string&) override {
    ADD_FAILURE() << what;
  }

  FakeTransport transport_;
  ServerPool pool_;
  bool ready_ = false;
};

TEST_P(Exchanges, GoAsTheyWent) {
  // Of record.py: Triton tells the rest itself.
  const ModelFile said = server() == "triton"
                             ? remoteModel("net")
                             : parseModelFile(
                                   "[model]\nbackend=remote\n[input]\nsize=32;32\n[output]\n"
                                   "decoder=yolov8\n[tensors]\nimage=images\n",
                                   "net", "net.model");
  // What it costs was not asked.
  pool_.server(kUrl, "net", 0)->endProbe(true);
  Offloader offloader(
      OffloadSettings{.servers = {kUrl}, .model = "net", .localRules = {}, .network = said}, pool_,
      transport_.client, *this);
  offloader.start();
  reply("/v2/models/net", "model");
  reply("/v2", "server");
  reply("/v2/models/net/infer", "trial");
  ASSERT_TRUE(ready_);

  constexpr Size kFrame{64, 48};
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(kFrame.area()) * 3);
  for (int y = 12; y < 36; ++y)
    for (int x = 16; x < 40; ++x)
      std::fill_n(rgb.begin() + (y * kFrame.width + x) * 3, 3, std::uint8_t{255});
  const auto network = offloader.capacity().servers.at(0).network;
  ASSERT_TRUE(network);
  const Part whole{.rect = wholeFrame(kFrame)};
  std::vector<PartAnswer> answers;
  const auto ticket =
      offloader.begin(0, 0, kFrame, {&whole, 1}, std::nullopt,
                      [&](std::vector<PartAnswer> told) { answers = std::move(told); });
  offloader.send(ticket, 0, network->prepare(rgb, kFrame), kFrame, network);

  const auto asked = transport_.to("/infer");
  ASSERT_EQ(asked.size(), 1U);
  const HttpRequest& request = transport_.requests.at(asked[0]).request;
  const Message before = recorded(server(), "request");
  EXPECT_EQ(before.first, "POST " + request.url.substr(kUrl.size()) + " HTTP/1.1\r");
  EXPECT_EQ(before.header("content-type"), request.contentType);
  const auto jsonLength = testing::jsonLengthOf(request);
  EXPECT_EQ(before.header("inference-header-content-length"),
            jsonLength ? std::to_string(*jsonLength) : "");
  EXPECT_EQ(joined(request.body), before.body);

  reply("/v2/models/net/infer", "answer");
  ASSERT_EQ(answers.size(), 1U);
  ASSERT_EQ(answers[0].detections.size(), 1U) << answers[0].error;
  expectNear(answers[0].detections[0].box, {16, 12, 40, 36}, 1e-3);
  EXPECT_FLOAT_EQ(answers[0].detections[0].score, 0.9F);
}

INSTANTIATE_TEST_SUITE_P(With, Exchanges,
                         ::testing::Values("kserve", "kserve-binary", "mlserver", "triton"),
                         [](const auto& server) {
                           std::string name = server.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace elf
