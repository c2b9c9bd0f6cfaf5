// SPDX-License-Identifier: LGPL-2.1-or-later
// Links of 8 and 80 Mbit/s: by the proxy, and by the kernel in a network of this test's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/elf_pipeline.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/process.h"
#include "tests/support/stats.h"

namespace elf::gst {
namespace {

using elf::testing::FaultProxy;
using elf::testing::kSink;
using elf::testing::OffloadStatsOf;
using elf::testing::Pipeline;
using elf::testing::startBlobServer;

/** A network without others for this thread and those that it starts; its loopback is the link. */
class Network {
 public:
  Network() : before_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    entered_ = before_ >= 0 && unshare(CLONE_NEWNET) == 0;
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network() {
    if (entered_ && setns(before_, CLONE_NEWNET) != 0) std::abort();
    if (before_ >= 0) close(before_);
  }

  /** False where it is not allowed, or the tools are not there. Both directions share the link. */
  bool limit(int megabitsPerSecond) const {
    const auto succeeds = [](const char* program, std::vector<std::string> arguments) {
      gchar* found = g_find_program_in_path(program);
      const std::string path = found ? found : std::string("/usr/sbin/") + program;
      g_free(found);
      return elf::testing::run(path, std::move(arguments)).code == 0;
    };
    return entered_ && succeeds("ip", {"link", "set", "lo", "mtu", "1500", "up"}) &&
           succeeds("tc",
                    {"qdisc", "add", "dev", "lo", "root", "tbf", "rate",
                     std::to_string(megabitsPerSecond) + "mbit", "burst", "16kb", "latency", "2s"});
  }

 private:
  int before_;
  bool entered_ = false;
};

enum class By { Proxy, Kernel };

struct Link {
  int megabits;
  By by;
};

class SlowLink : public ::testing::TestWithParam<Link> {
 protected:
  void SetUp() override {
    if (GetParam().by == By::Kernel) {
      network_.emplace();
      if (!network_->limit(GetParam().megabits))
        GTEST_SKIP() << "no network namespace with tc tbf: not allowed here, or no ip and tc";
    }
    server_ = startBlobServer();
    url_ = server_->url();
    if (GetParam().by == By::Proxy) {
      proxy_.emplace(url_);
      proxy_->throttle(GetParam().megabits);
      url_ = proxy_->url();
    }
  }
  /** Whole frames of noise, which no JPEG makes small: about 90 kB, or 230 kB raw. */
  std::string launch(int frames, const std::string& properties) const {
    return "videotestsrc pattern=snow num-buffers=" + std::to_string(frames) +
           " ! video/x-raw,format=I420,width=320,height=240 ! elfoffload name=offload model=blob "
           "servers=" +
           url_ + " " + properties + " ! elfmerge ! " + kSink;
  }
  static std::unique_ptr<OffloadStatsOf> statsOf(const Pipeline& pipeline) {
    GstElement* offload = pipeline.element("offload");
    auto stats = std::make_unique<OffloadStatsOf>(offload);
    gst_object_unref(offload);
    return stats;
  }
  double bytesPerSecond() const { return GetParam().megabits * 1e6 / 8; }

  std::optional<Network> network_;
  std::unique_ptr<Server> server_;
  std::optional<FaultProxy> proxy_;
  std::string url_;
};

TEST_P(SlowLink, FramesTakeWhatTheLinkTakesAndTheCostModelFindsIt) {
  Pipeline pipeline(launch(12, "encoding=jpeg deadline=2000"));
  pipeline.play();
  int frames = 0;
  double bytes = 0, seconds = 0;
  while (const auto record = pipeline.next()) {
    EXPECT_EQ(record->id, static_cast<std::uint64_t>(frames++));
    const PartAnswer& answer = record->answers.at(0);
    EXPECT_EQ(answer.state, AnswerState::Answered) << answer.error;
    bytes += static_cast<double>(answer.bytesSent);
    seconds += static_cast<double>(answer.roundTrip.count()) * 1e-6;
  }
  EXPECT_EQ(frames, 12);
  EXPECT_GE(seconds, 0.8 * bytes / bytesPerSecond()) << "the link was not limited";
  const double expected = 1e9 / bytesPerSecond();
  const double found = statsOf(pipeline)->cost(0, "ms-per-megabyte");
  EXPECT_GT(found, 0.6 * expected);
  EXPECT_LT(found, 2.5 * expected);
}

TEST_P(SlowLink, WhatTheLinkCannotCarryByTheDeadlineIsLateAndTheVideoGoesOn) {
  const double upload = 320 * 240 * 3 / bytesPerSecond();
  const int deadline = static_cast<int>(upload * 500);  // half of it, in ms
  Pipeline pipeline(launch(20, "encoding=raw deadline=" + std::to_string(deadline)));
  pipeline.play();
  int frames = 0, late = 0;
  while (const auto record = pipeline.next()) {
    EXPECT_EQ(record->id, static_cast<std::uint64_t>(frames++));
    EXPECT_FALSE(record->inferred);
    // While one is late the others pass unsent.
    if (record->skipped) continue;
    const PartAnswer& answer = record->answers.at(0);
    EXPECT_NE(answer.state, AnswerState::Answered);
    late += answer.state == AnswerState::Late;
  }
  EXPECT_EQ(frames, 20);
  EXPECT_GE(late, 1);
  EXPECT_EQ(statsOf(pipeline)->count("parts-late"), static_cast<guint64>(late));
}

INSTANTIATE_TEST_SUITE_P(Links, SlowLink,
                         ::testing::Values(Link{8, By::Proxy}, Link{80, By::Proxy},
                                           Link{8, By::Kernel}, Link{80, By::Kernel}),
                         [](const auto& link) {
                           return std::to_string(link.param.megabits) + "MbitBy" +
                                  (link.param.by == By::Proxy ? "Proxy" : "Kernel");
                         });

}  // namespace
}  // namespace elf::gst
