// SPDX-License-Identifier: LGPL-2.1-or-later
// All four elements together, against servers in this process, on a ball that moves.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/elf_pipeline.h"

namespace elf::gst {
namespace {

using elf::testing::ElfPipeline;
using elf::testing::Gate;
using elf::testing::kBall;
using elf::testing::kFrames;
using elf::testing::kSink;
using elf::testing::Pipeline;

void expectTheBallInEveryFrame(const std::vector<FrameRecord>& records) {
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (std::size_t i = 0; i < records.size(); ++i) {
    SCOPED_TRACE("frame " + std::to_string(i));
    EXPECT_EQ(records[i].id, i);
    ASSERT_EQ(records[i].detections.size(), 1U);
    const Detection& ball = records[i].detections[0];
    EXPECT_FALSE(ball.coasted);
    EXPECT_EQ(ball.label, "blob");
    EXPECT_EQ(ball.id, records[0].detections[0].id) << "the ball became another";
    EXPECT_NEAR(ball.box.width(), records[0].detections[0].box.width(), 3) << "the ball was cut";
  }
}

TEST_F(ElfPipeline, FindsTheBallInEveryFrameAndSendsLessThanWholeFrames) {
  Pipeline pipeline(kBall + elf() + kSink);
  pipeline.play();
  const auto records = pipeline.all();
  expectTheBallInEveryFrame(records);
  EXPECT_EQ(records[0].plan->parts.at(0).kind, PartKind::Full);
  double pixels = 0;
  // As planned: on a busy machine a part may go to a second server too.
  for (const FrameRecord& record : records) pixels += record.plan->sentPixels();
  EXPECT_LT(pixels, 0.6 * kFrames * 320 * 240);
}

TEST_F(ElfPipeline, DetectionsAgreeWithWholeFrames) {
  Pipeline elf(kBall + this->elf() + kSink);
  Pipeline whole(kBall + " ! " + offload() + " ! elfmerge ! " + kSink);
  elf.play();
  whole.play();
  for (int i = 0; i < kFrames; ++i) {
    const auto a = elf.next();
    const auto b = whole.next();
    ASSERT_TRUE(a && b);
    ASSERT_EQ(a->detections.size(), 1U);
    ASSERT_EQ(b->detections.size(), 1U);
    EXPECT_GT(iou(a->detections[0].box, b->detections[0].box), 0.85) << "frame " << i;
  }
}

struct Gaps {
  int queues;  ///< one bit for each gap between two elements
  int inFlight;
};

class ElfPipelineWithQueues : public ElfPipeline, public ::testing::WithParamInterface<Gaps> {};

TEST_P(ElfPipelineWithQueues, OrderHorizonAndAnswersHoldWhereverAQueueStands) {
  const auto gap = [&](int index) {
    return GetParam().queues & (1 << index) ? std::string(" ! queue max-size-buffers=4 ! ")
                                            : std::string(" ! ");
  };
  const int inFlight = GetParam().inFlight;
  Pipeline pipeline(kBall + gap(0) + "elfrppredict" + gap(1) + "elfpartition" + gap(2) +
                    offload("max-in-flight=" + std::to_string(inFlight)) + gap(3) + "elfmerge" +
                    gap(4) + kSink);
  pipeline.play();
  const auto records = pipeline.all();
  expectTheBallInEveryFrame(records);
  // As many frames as the queues and the element hold may be on their way before the first answer
  // tells elfrppredict to wait.
  for (std::size_t i = 20; i < records.size(); ++i) {
    EXPECT_GE(records[i].horizon, 1);
    EXPECT_LE(records[i].horizon, inFlight);
  }
}

std::vector<Gaps> everyGap() {
  std::vector<Gaps> all;
  for (const int inFlight : {1, 3})
    for (const int queues : {0, 1, 2, 4, 8, 16, 31}) all.push_back({queues, inFlight});
  return all;
}

INSTANTIATE_TEST_SUITE_P(EveryGap, ElfPipelineWithQueues, ::testing::ValuesIn(everyGap()),
                         [](const auto& gaps) {
                           return "queues" + std::to_string(gaps.param.queues) + "inflight" +
                                  std::to_string(gaps.param.inFlight);
                         });

TEST_F(ElfPipeline, EmptyFramesPassAndAllOfThemIsLookedAtInTurn) {
  Pipeline pipeline(
      "videotestsrc pattern=black num-buffers=13 ! "
      "video/x-raw,format=I420,width=320,height=240 ! "
      "elfrppredict ! elfpartition scan-interval=6 ! " +
      offload() + " ! elfmerge ! " + kSink);
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), 13U);
  int sent = 0;
  double pixels = 0;
  for (const FrameRecord& record : records) {
    EXPECT_TRUE(record.detections.empty());
    sent += !record.plan->parts.empty();
    // As planned: on a busy machine a part may go to a second server too.
    pixels += record.plan->sentPixels();
  }
  EXPECT_LT(sent, 13);
  // The first frame, and twice all of it in six.
  EXPECT_GE(pixels, 3 * 320 * 240);
  EXPECT_LT(pixels, 5 * 320 * 240);
}

TEST_F(ElfPipeline, ASeekStartsANewGenerationAndFindsTheBallAgain) {
  Pipeline pipeline(
      "videotestsrc pattern=ball ! "
      "video/x-raw,format=I420,width=320,height=240,framerate=30/1" +
      elf() + kSink);
  pipeline.play();
  const auto before = pipeline.next();
  ASSERT_TRUE(before);
  ASSERT_TRUE(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                      5 * GST_SECOND));
  std::optional<FrameRecord> after;
  do after = pipeline.next();
  while (after && after->generation == before->generation);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->generation, before->generation + 1);
  EXPECT_GE(pipeline.pts(), 5 * GST_SECOND);
  EXPECT_FALSE(after->rps.has_value()) << "a cold start";
  EXPECT_EQ(after->detections.size(), 1U);
}

TEST_F(ElfPipeline, StateCyclesLeaveNothingBehind) {
  Pipeline pipeline(kBall + elf() + kSink);
  for (int cycle = 0; cycle < 10; ++cycle) {
    pipeline.play();
    // Some cycles stop in the middle, one runs to its end.
    for (int i = 0; i < cycle; ++i) ASSERT_TRUE(pipeline.next());
    pipeline.stop();
  }
  pipeline.play();
  const auto records = pipeline.all();
  EXPECT_EQ(records.size(), static_cast<std::size_t>(kFrames));
}

TEST_F(ElfPipeline, TwoPipelinesInOneProcessDoNotDisturbEachOther) {
  Pipeline one(kBall + elf() + kSink);
  Pipeline other(kBall + elf("max-in-flight=2") + kSink);
  one.play();
  other.play();
  std::vector<FrameRecord> ones, others;
  for (int i = 0; i < kFrames; ++i) {
    ones.push_back(one.next().value_or(FrameRecord{}));
    others.push_back(other.next().value_or(FrameRecord{}));
  }
  expectTheBallInEveryFrame(ones);
  expectTheBallInEveryFrame(others);
}

TEST_F(ElfPipeline, ATeeSharesFramesAndOnlyOneBranchHasTheRecord) {
  Pipeline pipeline(kBall + " ! tee name=t ! queue" + elf() + kSink +
                    " t. ! queue ! appsink name=plain sync=false");
  pipeline.play();
  expectTheBallInEveryFrame(pipeline.all());
  GstElement* plain = gst_bin_get_by_name(GST_BIN(pipeline.get()), "plain");
  GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(plain));
  ASSERT_TRUE(sample);
  EXPECT_EQ(getRecord(gst_sample_get_buffer(sample)), nullptr);
  gst_sample_unref(sample);
  gst_object_unref(plain);
}

TEST_F(ElfPipeline, ALiveSourceWithASyncSinkDropsNothing) {
  Pipeline pipeline(
      "videotestsrc is-live=true pattern=ball num-buffers=40 ! "
      "video/x-raw,format=I420,width=320,height=240,framerate=30/1" +
      elf("deadline=300") + "appsink name=out sync=true max-lateness=1 qos=true");
  pipeline.play();
  expectTheBallInEveryFrame(pipeline.all());
}

TEST_F(ElfPipeline, ALiveSourceWithoutADeadlineIsAnErrorThatNamesTheProperty) {
  Pipeline pipeline("videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240" +
                    elf("deadline=-1") + "appsink name=out sync=true");
  pipeline.play();
  GstMessage* message = pipeline.await(GST_MESSAGE_ERROR);
  ASSERT_TRUE(message);
  const std::string text = elf::testing::textOf(message);
  EXPECT_NE(text.find("deadline"), std::string::npos) << text;
  gst_message_unref(message);
}

TEST_F(ElfPipeline, AServerThatDiesInMidStreamLosesNoFrame) {
  Pipeline pipeline(kBall + elf() + kSink);
  pipeline.play();
  std::vector<FrameRecord> records;
  while (auto record = pipeline.next()) {
    records.push_back(std::move(*record));
    if (records.size() == 10) b_.reset();
  }
  expectTheBallInEveryFrame(records);
}

TEST_F(ElfPipeline, WithAllServersGoneTheVideoGoesOn) {
  Pipeline pipeline(kBall + elf("deadline=500") + kSink);
  pipeline.play();
  std::size_t frames = 0;
  bool coasted = false;
  while (auto record = pipeline.next()) {
    if (++frames == 10) {
      a_.reset();
      b_.reset();
    }
    for (const Detection& detection : record->detections) coasted = coasted || detection.coasted;
  }
  EXPECT_EQ(frames, static_cast<std::size_t>(kFrames));
  EXPECT_TRUE(coasted);
}

TEST_F(ElfPipeline, PartsThatComeTooLateAreCoastedAndTheVideoGoesOn) {
  Gate gate;
  const auto held = elf::testing::startBlobServer(&gate);
  Pipeline pipeline(kBall +
                    " ! elfrppredict ! elfpartition ! elfoffload model=blob deadline=150 servers=" +
                    held->url() + " ! elfmerge ! " + kSink);
  pipeline.play();
  std::size_t frames = 0, late = 0;
  while (auto record = pipeline.next()) {
    if (++frames == 10) gate.close();
    for (const PartAnswer& answer : record->answers) {
      if (answer.state != AnswerState::Late) continue;
      ++late;
      EXPECT_EQ(record->detections.size(), 1U);
      for (const Detection& detection : record->detections) EXPECT_TRUE(detection.coasted);
    }
  }
  gate.open();
  EXPECT_EQ(frames, static_cast<std::size_t>(kFrames));
  EXPECT_GT(late, 0U);
}

TEST_F(ElfPipeline, OddSizesAndEveryFormatWork) {
  for (const char* format : {"I420", "NV12", "BGR", "RGB", "BGRx", "BGRA", "RGBx", "RGBA", "xRGB",
                             "ARGB", "xBGR", "ABGR", "GRAY8"}) {
    SCOPED_TRACE(format);
    Pipeline pipeline("videotestsrc pattern=ball num-buffers=3 ! video/x-raw,format=" +
                      std::string(format) + ",width=321,height=243" + elf() + kSink);
    pipeline.play();
    const auto records = pipeline.all();
    ASSERT_EQ(records.size(), 3U);
    for (const FrameRecord& record : records) EXPECT_EQ(record.detections.size(), 1U);
  }
}

TEST_F(ElfPipeline, EveryElementWorksAlone) {
  for (const char* alone : {"elfrppredict", "elfpartition", "elfmerge"}) {
    SCOPED_TRACE(alone);
    Pipeline pipeline(kBall + " ! " + alone + " ! " + kSink);
    pipeline.play();
    EXPECT_EQ(pipeline.all().size(), static_cast<std::size_t>(kFrames));
  }
  Pipeline offloadAlone(kBall + " ! " + offload() + " ! " + kSink);
  offloadAlone.play();
  const auto records = offloadAlone.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  EXPECT_EQ(records[5].answers.at(0).detections.size(), 1U);
}

}  // namespace
}  // namespace elf::gst
