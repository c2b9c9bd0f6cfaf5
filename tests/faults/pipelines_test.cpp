// SPDX-License-Identifier: LGPL-2.1-or-later
// All four elements on two servers, one or both of which fail in each way there is.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <ranges>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/bus.h"
#include "tests/support/elf_pipeline.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/stats.h"

namespace elf::gst {
namespace {

using elf::testing::everyFault;
using elf::testing::Fault;
using elf::testing::FaultProxy;
using elf::testing::kSink;
using elf::testing::nameOf;
using elf::testing::neverAnswers;
using elf::testing::OffloadStatsOf;
using elf::testing::Pipeline;
using elf::testing::startBlobServer;

constexpr std::size_t kBefore = 5, kDuring = 35;

bool isWhole(const FrameRecord& record) {
  return std::ranges::all_of(record.answers, [](const PartAnswer& answer) {
    return answer.state == AnswerState::Answered;
  });
}

bool isCoasted(const FrameRecord& record) {
  return std::ranges::any_of(record.detections, &Detection::coasted);
}

/** True where a server that fails may still answer the question for its health: then it is back
 * and lost again, with growing pauses. */
bool saysReady(Fault fault) {
  switch (fault) {
    case Fault::Refuse:
    case Fault::ResetRequest:
    case Fault::BlackHole:
    case Fault::Trickle:
    case Fault::ServerError:
    case Fault::Unavailable:
      return false;
    default:
      return true;
  }
}

/** What holds for every frame of every run, whatever its servers do. While all of them are late,
 * frames pass unsent. */
void expectInOrderAndMarked(const std::vector<FrameRecord>& records, std::size_t frames) {
  bool late = false;
  ASSERT_EQ(records.size(), frames) << "frames are lost";
  for (std::size_t i = 0; i < records.size(); ++i) {
    SCOPED_TRACE("frame " + std::to_string(i));
    const FrameRecord& record = records[i];
    EXPECT_EQ(record.id, i);
    late = late || std::ranges::any_of(record.answers, [](const PartAnswer& answer) {
             return answer.state == AnswerState::Late;
           });
    EXPECT_EQ(record.inferred, !record.skipped && isWhole(record));
    if (record.skipped) {
      EXPECT_TRUE(late) << "nothing was sent though servers are well";
      EXPECT_FALSE(record.plan);
      EXPECT_TRUE(std::ranges::all_of(record.detections, &Detection::coasted));
      continue;
    }
    ASSERT_TRUE(record.plan);
    EXPECT_EQ(record.answers.size(), record.plan->parts.size());
    // One ball; what coasts for long may be another place by then.
    EXPECT_LE(std::ranges::count(record.detections, false, &Detection::coasted), 1);
    // A box stands in only where somebody did not answer.
    EXPECT_FALSE(isCoasted(record) && isWhole(record));
    for (const PartAnswer& answer : record.answers)
      EXPECT_EQ(answer.error.empty(), answer.state == AnswerState::Answered) << answer.error;
    if (isWhole(record) && !record.answers.empty()) {
      EXPECT_EQ(record.detections.size(), 1U) << "the ball was there";
    }
  }
}

/** The element's counts are the sums over what its frames say. */
void expectCounts(const OffloadStatsOf& stats, const std::vector<FrameRecord>& records) {
  guint64 failed = 0, late = 0, bytes = 0, sent = 0;
  const auto skipped = std::ranges::count(records, true, &FrameRecord::skipped);
  for (const FrameRecord& record : records)
    for (const PartAnswer& answer : record.answers) {
      failed += answer.state == AnswerState::Failed;
      late += answer.state == AnswerState::Late;
      bytes += answer.bytesSent;
      sent += static_cast<guint64>(answer.attempts);
    }
  EXPECT_EQ(stats.count("frames"), records.size());
  EXPECT_EQ(stats.count("skipped"), static_cast<guint64>(skipped));
  EXPECT_EQ(stats.count("parts-failed"), failed);
  EXPECT_EQ(stats.count("parts-late"), late);
  // What was sent again when the frame had gone on is not in its record.
  if (late > 0) {
    EXPECT_GE(stats.count("parts-sent"), sent);
    EXPECT_GE(stats.count("bytes-sent"), bytes);
  } else {
    EXPECT_EQ(stats.count("parts-sent"), sent);
    EXPECT_EQ(stats.count("bytes-sent"), bytes);
  }
}

class FaultyPipeline : public ::testing::Test {
 protected:
  /** `partition` has a part for each server in every frame, so that both get work. */
  std::string launch(std::size_t frames, const std::string& source, const std::string& properties,
                     const std::string& sink = kSink) const {
    return "videotestsrc pattern=ball num-buffers=" + std::to_string(frames) + " " + source +
           " ! video/x-raw,format=I420,width=320,height=240,framerate=60/1 ! queue ! elfrppredict "
           "! queue ! elfpartition partitioner=grid ! queue ! elfoffload name=offload model=blob "
           "servers=" +
           good_.url() + "," + bad_.url() + " " + properties + " ! queue ! elfmerge ! queue ! " +
           sink;
  }
  static std::unique_ptr<OffloadStatsOf> statsOf(const Pipeline& pipeline) {
    GstElement* offload = pipeline.element("offload");
    auto stats = std::make_unique<OffloadStatsOf>(offload);
    gst_object_unref(offload);
    return stats;
  }
  static int warnings(const Pipeline& pipeline) {
    GstBus* bus = gst_element_get_bus(pipeline.get());
    int count = 0;
    while (GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING)) {
      ++count;
      gst_message_unref(message);
    }
    gst_object_unref(bus);
    return count;
  }

  /** What came out, in order; after kBefore frames, and one that is `ready`, `change` is called. */
  template <typename Change>
  static std::vector<FrameRecord> play(
      Pipeline& pipeline, Change&& change,
      bool (*ready)(const FrameRecord&) = [](const FrameRecord&) { return true; }) {
    pipeline.play();
    std::vector<FrameRecord> records;
    bool changed = false;
    while (auto record = pipeline.next()) {
      records.push_back(std::move(*record));
      if (changed || records.size() < kBefore || !ready(records.back())) continue;
      changed = true;
      change();
    }
    return records;
  }

  std::unique_ptr<Server> a_ = startBlobServer(), b_ = startBlobServer();
  FaultProxy good_{a_->url()}, bad_{b_->url()};
};

class PipelineWithAFaultyServer : public FaultyPipeline,
                                  public ::testing::WithParamInterface<std::tuple<Fault, bool>> {};

TEST_P(PipelineWithAFaultyServer, LosesNoFrameAndItsDetectionsAreWholeAgainOnTheOtherServer) {
  const auto [fault, live] = GetParam();
  // Where live frames do not wait until a server is left out.
  const std::size_t frames = kBefore + (live ? 3 : 1) * kDuring;
  Pipeline pipeline(launch(frames, live ? "is-live=true" : "", "deadline=150",
                           live ? "appsink name=out sync=true" : kSink));
  const std::vector<FrameRecord> records =
      play(pipeline, [this, broken = fault] { bad_.set(broken); });
  expectInOrderAndMarked(records, frames);
  expectCounts(*statsOf(pipeline), records);
  EXPECT_TRUE(std::ranges::all_of(records | std::views::take(kBefore), isWhole));
  if (neverAnswers(fault)) {
    // Until it is left out; by then the frames behind are on their way.
    EXPECT_FALSE(std::ranges::all_of(records, isWhole));
    for (const FrameRecord& record : records | std::views::drop(frames - 10))
      for (const PartAnswer& answer : record.answers)
        EXPECT_EQ(answer.state, AnswerState::Answered) << record.id << ": " << answer.error;
  } else if (fault != Fault::ManyBoxes) {
    EXPECT_TRUE(std::ranges::all_of(records, isWhole)) << "the other server was not asked";
  }
  EXPECT_LE(warnings(pipeline), saysReady(fault) ? 5 : 1);
}

INSTANTIATE_TEST_SUITE_P(Fault, PipelineWithAFaultyServer,
                         ::testing::Combine(::testing::ValuesIn(everyFault()), ::testing::Bool()),
                         [](const auto& test) {
                           return std::string(nameOf(std::get<0>(test.param))) +
                                  (std::get<1>(test.param) ? "Live" : "");
                         });

class PipelineWithoutAServer : public FaultyPipeline,
                               public ::testing::WithParamInterface<Fault> {};

TEST_P(PipelineWithoutAServer, GoesOnCoastedOrBareAndWarnsOfServersNotOfFrames) {
  constexpr std::size_t kFrames = 200;
  Pipeline pipeline(launch(kFrames, "", "deadline=100 max-in-flight=2"));
  const auto breakBoth = [&] {
    good_.set(GetParam());
    bad_.set(GetParam());
  };
  // What is not expected anywhere cannot coast.
  const std::vector<FrameRecord> records = play(pipeline, breakBoth, [](const FrameRecord& record) {
    return record.rps && !record.rps->empty();
  });
  expectInOrderAndMarked(records, kFrames);
  expectCounts(*statsOf(pipeline), records);
  EXPECT_TRUE(std::ranges::any_of(records, isCoasted));
  EXPECT_TRUE(std::ranges::none_of(records | std::views::drop(kFrames / 2), isWhole));
  for (const FrameRecord& record : records | std::views::drop(kFrames / 2))
    EXPECT_TRUE(record.detections.empty()) << record.id;
  EXPECT_LE(warnings(pipeline), saysReady(GetParam()) ? 10 : 2);
}

INSTANTIATE_TEST_SUITE_P(Fault, PipelineWithoutAServer, ::testing::ValuesIn(everyFault()),
                         [](const auto& test) { return nameOf(test.param); });

class Storm : public FaultyPipeline, public ::testing::WithParamInterface<unsigned> {};

TEST_P(Storm, OfAllFaultsAtOnceLosesNothingAndCountsAll) {
  std::vector<Fault> faults = everyFault();
  std::erase(faults, Fault::Refuse);
  // Enough of them pass for a server to stay in use.
  faults.insert(faults.end(), 4 * faults.size(), Fault::None);
  constexpr std::size_t kFrames = 150;
  // Live, so that servers that were left out are back before all frames have passed.
  Pipeline pipeline(
      launch(kFrames, "is-live=true", "deadline=80 max-in-flight=4", "appsink name=out sync=true"));
  const std::vector<FrameRecord> records = play(pipeline, [&] {
    good_.choose(faults, GetParam());
    bad_.choose(faults, GetParam() + 100);
  });
  expectInOrderAndMarked(records, kFrames);
  expectCounts(*statsOf(pipeline), records);
  EXPECT_FALSE(std::ranges::all_of(records, isWhole)) << "no fault came through";
  EXPECT_GT(std::ranges::count_if(records | std::views::drop(kBefore), isWhole), 0);
}

INSTANTIATE_TEST_SUITE_P(Seed, Storm, ::testing::Range(1U, 7U));

}  // namespace
}  // namespace elf::gst
