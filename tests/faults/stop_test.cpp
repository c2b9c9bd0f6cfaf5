// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever the servers do, a pipeline stops within a second, at any moment.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>
#include <thread>

#include "tests/support/elf_pipeline.h"
#include "tests/support/fault_proxy.h"

namespace elf::gst {
namespace {

using namespace std::chrono_literals;
using elf::testing::ElfPipeline;
using elf::testing::everyFault;
using elf::testing::Fault;
using elf::testing::FaultProxy;
using elf::testing::kSink;
using elf::testing::nameOf;
using elf::testing::Pipeline;
using elf::testing::startBlobServer;
using Clock = std::chrono::steady_clock;

class Stop : public ::testing::TestWithParam<Fault> {
 protected:
  std::string launch(const char* source, const char* properties) const {
    return std::string("videotestsrc pattern=ball ") + source +
           " ! video/x-raw,format=I420,width=320,height=240,framerate=60/1 ! queue ! elfrppredict "
           "! queue ! elfpartition ! queue ! elfoffload model=blob servers=" +
           proxy_.url() + " " + properties +
           " ! queue ! elfmerge ! queue ! appsink name=out sync=" + (*source ? "true" : "false") +
           " max-buffers=2 drop=true";
  }
  /** Plays, and stops when the proxy has seen so many requests and a little time is over. */
  void stopAt(const std::string& launch, int before, int during, std::chrono::microseconds later) {
    SCOPED_TRACE(launch + ", fault after " + std::to_string(before) + " requests, stop after " +
                 std::to_string(during) + " more");
    proxy_.set(Fault::None);
    Pipeline pipeline(launch);
    const int begun = proxy_.requests();
    if (before == 0) proxy_.set(GetParam());
    pipeline.play();
    if (before > 0) {
      ASSERT_TRUE(proxy_.awaitRequests(begun + before));
      proxy_.set(GetParam());
    }
    // Of a server that refuses no request is seen: then the moment is where the patience ends.
    proxy_.awaitRequests(proxy_.requests() + during, 100ms);
    // What is stopped should not always be in the same state just behind a request.
    std::this_thread::sleep_for(later);
    const auto stopping = Clock::now();
    pipeline.stop();
    EXPECT_LT(Clock::now() - stopping, 1s);
  }

  std::unique_ptr<Server> server_ = startBlobServer();
  FaultProxy proxy_{server_->url()};
};

TEST_P(Stop, TakesLessThanASecondAtAnyMoment) {
  std::minstd_rand random(static_cast<unsigned>(GetParam()) + 1);
  const auto upTo = [&random](int most) { return static_cast<int>(random() % (most + 1)); };
  for (int round = 0; round < 3; ++round) {
    // A start has six requests: metadata, probes, the first frame.
    stopAt(launch("", "deadline=-1 max-in-flight=3"), upTo(12), upTo(3),
           std::chrono::microseconds(upTo(5000)));
    stopAt(launch("is-live=true", "deadline=5000"), upTo(12), upTo(3),
           std::chrono::microseconds(upTo(5000)));
  }
}

INSTANTIATE_TEST_SUITE_P(Fault, Stop, ::testing::ValuesIn(everyFault()),
                         [](const auto& test) { return nameOf(test.param); });

// With servers that answer at once, so that some stops meet an answer that is just coming in.
TEST_F(ElfPipeline, StopsUnderLoadFiveHundredTimes) {
  Pipeline pipeline(
      "videotestsrc pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=60/1" +
      elf("deadline=-1 max-in-flight=8") + kSink);
  for (int round = 0; round < 500; ++round) {
    pipeline.play();
    for (int frame = 0; frame < round % 4; ++frame) ASSERT_TRUE(pipeline.next()) << round;
    pipeline.stop();
  }
}

}  // namespace
}  // namespace elf::gst
