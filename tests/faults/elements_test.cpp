// SPDX-License-Identifier: LGPL-2.1-or-later
// elfoffload alone, in front of one server that fails in each way there is.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/harness.h"
#include "tests/support/own_stream.h"
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
using elf::testing::OwnStream;
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
    upstream_.enter();  // once the server was probed
  }
  /** The next frame's way through the element; fails the test where it is not the one that went in.
   */
  FrameRecordPtr pass() {
    EXPECT_EQ(harness_.push(harness_.frame(next_)), GST_FLOW_OK);
    GstBuffer* out = harness_.pull();
    if (!out) {
      ADD_FAILURE() << "frame " << next_ << " is lost";
      return std::make_shared<FrameRecord>();
    }
    const FrameRecordPtr record = getRecord(out);
    gst_buffer_unref(out);
    EXPECT_EQ(record->id, static_cast<std::uint64_t>(next_++));
    EXPECT_EQ(record->answers.size(), record->skipped ? 0U : 1U);
    return record;
  }
  void expectAnswered(const FrameRecordPtr& record) const {
    ASSERT_FALSE(record->skipped);
    const PartAnswer& answer = record->answers.at(0);
    ASSERT_EQ(answer.state, AnswerState::Answered) << answer.error;
    EXPECT_TRUE(record->inferred);
    // Its own answer: a StubServer's score is the number of the frame that asked.
    EXPECT_EQ(answer.detections.at(0).score, static_cast<float>(next_ - 1));
  }

  StubServer server_;
  FaultProxy proxy_{server_.url()};
  Harness harness_{"elfoffload deadline=150 servers=" + proxy_.url()};
  const OwnStream upstream_{harness_, {64, 48}};
  int next_ = 0;
};

TEST_P(OffloadBehind, EveryFrameLeavesMarkedAndCountedAndTheServerComesBack) {
  BusOf bus(harness_.element());
  const Fault fault = GetParam();
  expectAnswered(pass());
  proxy_.set(fault);
  guint64 failed = 0, late = 0, skipped = 0;
  for (int i = 0; i < 8; ++i) {
    const FrameRecordPtr record = pass();
    EXPECT_FALSE(record->inferred);
    if (record->skipped) {
      // Another one is late, and may yet be answered.
      EXPECT_TRUE(mayBeLate(fault) && late > 0);
      ++skipped;
      continue;
    }
    const PartAnswer& answer = record->answers.at(0);
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
  // The last one that is late may be answered yet, but for so long only.
  const auto patience = std::chrono::steady_clock::now() + 10s;
  while (mayBeLate(fault) && OffloadStatsOf(harness_.element()).cost(0, "outstanding-ms") > 0 &&
         std::chrono::steady_clock::now() < patience)
    std::this_thread::yield();
  {
    const OffloadStatsOf stats(harness_.element());
    EXPECT_EQ(stats.count("frames"), 9U);
    EXPECT_EQ(stats.count("skipped"), skipped);
    EXPECT_EQ(stats.count("parts-failed"), failed);
    EXPECT_EQ(stats.count("parts-late"), late);
    // One that says when to try again is busy, and not left out.
    const bool busy = fault == Fault::Unavailable;
    EXPECT_EQ(stats.cost(0, "outstanding-ms") > 0, busy);
    if (!mayBeLate(fault)) {
      EXPECT_EQ(stats.healthy(0), busy);
    }
  }
  if (mayBeLate(fault)) {
    EXPECT_LE(bus.count(GST_MESSAGE_WARNING), 1);
  } else {
    EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 1) << "one for the server, not for each frame";
  }

  proxy_.set(Fault::None);
  const auto back = std::chrono::steady_clock::now() + 10s;
  FrameRecordPtr record = pass();
  while (!record->inferred && std::chrono::steady_clock::now() < back) {
    proxy_.awaitRequests(proxy_.requests() + 1, 50ms);
    record = pass();
  }
  expectAnswered(record);
  for (int i = 0; i < 3; ++i) expectAnswered(pass());
  EXPECT_FALSE(bus.has(GST_MESSAGE_ERROR));
}

class OffloadBehindAPromptFault : public OffloadBehind {};

TEST_P(OffloadBehindAPromptFault, AnotherServerGetsItsPartsWithinTheSameFrame) {
  StubServer other;
  Harness harness("elfoffload servers=" + proxy_.url() + "," + other.url());
  harness.setVideo(64, 48);
  const OwnStream upstream(harness, {64, 48});
  upstream.enter();
  proxy_.set(GetParam());
  for (int i = 0; i < 8; ++i) {
    FrameRecord record = upstream.enter();
    record.plan.emplace().parts.push_back({.rect = wholeFrame(record.size), .server = 0});
    const std::uint64_t id = record.id;
    ASSERT_EQ(harness.push(upstream.carry(i, std::move(record))), GST_FLOW_OK);
    GstBuffer* out = harness.pull();
    ASSERT_TRUE(out);
    const PartAnswer answer = getRecord(out)->answers.at(0);
    gst_buffer_unref(out);
    EXPECT_EQ(answer.state, AnswerState::Answered) << answer.error;
    EXPECT_EQ(answer.server, 1);
    EXPECT_EQ(answer.detections.at(0).score, static_cast<float>(id));
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
    EXPECT_FALSE(record->inferred);
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
