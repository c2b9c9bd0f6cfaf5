// SPDX-License-Identifier: LGPL-2.1-or-later
// elfoffload alone, in front of one server that fails in each way there is.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/harness.h"
#include "tests/support/stats.h"
#include "tests/support/stub_server.h"

namespace elf::gst {
namespace {

using namespace std::chrono_literals;
using elf::testing::BusOf;
using elf::testing::everyFault;
using elf::testing::Fault;
using elf::testing::FaultProxy;
using elf::testing::Harness;
using elf::testing::nameOf;
using elf::testing::neverAnswers;
using elf::testing::OffloadStatsOf;
using elf::testing::promptFaults;
using elf::testing::StubServer;

/** To carry as many boxes as there may be takes its time, too. */
bool mayBeLate(Fault fault) {
  return neverAnswers(fault) || fault == Fault::ManyBoxes;
}

class OffloadBehind : public ::testing::TestWithParam<Fault> {
 protected:
  OffloadBehind() {
    harness_.setVideo(64, 48);
    // Once the server was probed.
    queryCapacity(harness_.get()->srcpad);
  }
  /** The next frame's way through the element; fails the test where it is not the one that went in.
   */
  PartAnswer pass() {
    EXPECT_EQ(harness_.push(harness_.frame(next_)), GST_FLOW_OK);
    GstBuffer* out = harness_.pull();
    if (!out) {
      ADD_FAILURE() << "frame " << next_ << " is lost";
      return {};
    }
    const FrameRecordPtr record = getRecord(out);
    gst_buffer_unref(out);
    EXPECT_EQ(record->id, static_cast<std::uint64_t>(next_++));
    EXPECT_EQ(record->answers.size(), 1U);
    return record->answers.at(0);
  }
  void expectAnswered(const PartAnswer& answer) const {
    ASSERT_EQ(answer.state, AnswerState::Answered) << answer.error;
    // Its own answer: a StubServer's score is the number of the frame that asked.
    EXPECT_EQ(answer.detections.at(0).score, static_cast<float>(next_ - 1));
  }

  StubServer server_;
  FaultProxy proxy_{server_.url()};
  Harness harness_{"elfoffload deadline=150 servers=" + proxy_.url()};
  int next_ = 0;
};

TEST_P(OffloadBehind, EveryFrameLeavesMarkedAndCountedAndTheServerComesBack) {
  BusOf bus(harness_.element());
  const Fault fault = GetParam();
  expectAnswered(pass());
  proxy_.set(fault);
  guint64 failed = 0, late = 0;
  for (int i = 0; i < 8; ++i) {
    const PartAnswer answer = pass();
    EXPECT_NE(answer.state, AnswerState::Answered);
    EXPECT_EQ(answer.error.rfind(proxy_.url(), 0), 0U) << answer.error;
    EXPECT_TRUE(answer.detections.empty());
    // A server that is left out gets nothing, and so its frames are not late but failed.
    if (i == 0 && neverAnswers(fault)) {
      EXPECT_EQ(answer.state, AnswerState::Late);
    } else if (!mayBeLate(fault) || answer.attempts == 0) {
      EXPECT_EQ(answer.state, AnswerState::Failed);
    }
    ++(answer.state == AnswerState::Late ? late : failed);
  }
  {
    const OffloadStatsOf stats(harness_.element());
    EXPECT_EQ(stats.count("frames"), 9U);
    EXPECT_EQ(stats.count("skipped"), 0U);
    EXPECT_EQ(stats.count("parts-failed"), failed);
    EXPECT_EQ(stats.count("parts-late"), late);
    // One that says when to try again is busy, and not left out.
    const bool busy = fault == Fault::Unavailable;
    EXPECT_EQ(stats.healthy(0), busy);
    EXPECT_EQ(stats.cost(0, "outstanding-ms") > 0, busy);
  }
  EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 1) << "one for the server, not for each frame";

  proxy_.set(Fault::None);
  const auto patience = std::chrono::steady_clock::now() + 10s;
  PartAnswer answer = pass();
  while (answer.state != AnswerState::Answered && std::chrono::steady_clock::now() < patience) {
    proxy_.awaitRequests(proxy_.requests() + 1, 50ms);
    answer = pass();
  }
  expectAnswered(answer);
  for (int i = 0; i < 3; ++i) expectAnswered(pass());
  EXPECT_FALSE(bus.has(GST_MESSAGE_ERROR));
}

class OffloadBehindAPromptFault : public OffloadBehind {};

TEST_P(OffloadBehindAPromptFault, AnotherServerGetsItsPartsWithinTheSameFrame) {
  StubServer other;
  Harness harness("elfoffload servers=" + proxy_.url() + "," + other.url());
  harness.setVideo(64, 48);
  queryCapacity(harness.get()->srcpad);
  proxy_.set(GetParam());
  for (int i = 0; i < 8; ++i) {
    FrameRecord record;
    record.id = static_cast<std::uint64_t>(i);
    record.size = {64, 48};
    record.plan.emplace().parts.push_back({.rect = wholeFrame(record.size), .server = 0});
    GstBuffer* buffer = harness.frame(i);
    setRecord(buffer, std::make_shared<const FrameRecord>(record));
    ASSERT_EQ(harness.push(buffer), GST_FLOW_OK);
    GstBuffer* out = harness.pull();
    ASSERT_TRUE(out);
    const PartAnswer answer = getRecord(out)->answers.at(0);
    gst_buffer_unref(out);
    EXPECT_EQ(answer.state, AnswerState::Answered) << answer.error;
    EXPECT_EQ(answer.server, 1);
    EXPECT_EQ(answer.detections.at(0).score, static_cast<float>(i));
  }
  const OffloadStatsOf stats(harness.element());
  EXPECT_EQ(stats.count("parts-failed"), 0U);
  EXPECT_GE(stats.count("parts-retried"), 1U);
}

TEST_P(OffloadBehind, AServerThatFailsFromTheStartDelaysTheFirstFrameByADeadlineAtMost) {
  proxy_.set(GetParam());
  Harness harness("elfoffload deadline=200 servers=" + proxy_.url());
  harness.setVideo(64, 48);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(harness.push(harness.frame(i)), GST_FLOW_OK);
    GstBuffer* out = harness.pull();
    ASSERT_TRUE(out);
    const FrameRecordPtr record = getRecord(out);
    EXPECT_EQ(record->id, static_cast<std::uint64_t>(i));
    EXPECT_NE(record->answers.at(0).state, AnswerState::Answered);
    gst_buffer_unref(out);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1500ms);
}

std::string testName(const ::testing::TestParamInfo<Fault>& fault) {
  return nameOf(fault.param);
}

INSTANTIATE_TEST_SUITE_P(Fault, OffloadBehind, ::testing::ValuesIn(everyFault()), testName);
INSTANTIATE_TEST_SUITE_P(Fault, OffloadBehindAPromptFault, ::testing::ValuesIn(promptFaults()),
                         testName);

}  // namespace
}  // namespace elf::gst
