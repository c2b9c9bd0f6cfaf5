// SPDX-License-Identifier: LGPL-2.1-or-later
// All four elements in streams that change, jump, lose and double frames.
#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/elf_pipeline.h"

namespace elf::gst {
namespace {

using elf::testing::ElfPipeline;
using elf::testing::Gate;
using elf::testing::kBall;
using elf::testing::kFrames;
using elf::testing::kSink;
using elf::testing::Pipeline;

/** Ten frames of the ball. */
std::string ball(const char* caps) {
  return "videotestsrc pattern=ball num-buffers=10 ! video/x-raw,framerate=30/1," +
         std::string(caps) + " ! c. ";
}

TEST_F(ElfPipeline, AChangeOfSizeStartsAnewAndEveryFrameLeavesWithItsOwnCaps) {
  for (const int inFlight : {1, 3}) {
    SCOPED_TRACE(inFlight);
    Pipeline pipeline("concat name=c" + elf("max-in-flight=" + std::to_string(inFlight)) + kSink +
                      " " + ball("format=I420,width=320,height=240") +
                      ball("format=I420,width=640,height=480"));
    pipeline.play();
    std::vector<FrameRecord> records;
    while (auto record = pipeline.next()) {
      EXPECT_EQ(pipeline.size(), record->size);
      EXPECT_EQ(record->size.width, records.size() < 10 ? 320 : 640);
      // Where a ball that was seen once is two frames on, it may have left its RP.
      if (record->horizon <= 1) {
        EXPECT_EQ(record->detections.size(), 1U) << records.size();
      }
      records.push_back(std::move(*record));
    }
    ASSERT_EQ(records.size(), 20U);
    EXPECT_GT(records[10].generation, records[9].generation);
    EXPECT_FALSE(records[10].rps.has_value()) << "a cold start";
    EXPECT_TRUE(records[19].rps.has_value());
  }
}

TEST_F(ElfPipeline, AChangeOfFormatKeepsTheHistory) {
  // Nothing moves: the second source would start its ball anew, where no history looks for it.
  const auto still = [](const std::string& format) {
    return "videotestsrc pattern=white num-buffers=10 ! video/x-raw,framerate=30/1,format=" +
           format + ",width=40,height=40 ! videobox fill=black left=-80 right=-200 top=-60 " +
           "bottom=-140 ! c. ";
  };
  Pipeline pipeline("concat name=c" + elf() + kSink + " " + still("I420") + still("BGR"));
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), 20U);
  EXPECT_EQ(records[10].generation, records[9].generation);
  EXPECT_TRUE(records[10].rps.has_value());
  for (const FrameRecord& record : records) EXPECT_EQ(record.detections.size(), 1U);
}

TEST_F(ElfPipeline, FramesDroppedBetweenTheElementsStallNothing) {
  // Without a deadline nothing but the end of a buffer tells that it was dropped.
  Pipeline pipeline(kBall + " ! elfrppredict ! identity drop-probability=0.25 ! elfpartition ! " +
                    offload("deadline=-1") + " ! elfmerge ! " + kSink);
  pipeline.play();
  const auto records = pipeline.all();
  EXPECT_LT(records.size(), static_cast<std::size_t>(kFrames));
  EXPECT_GT(records.size(), 0U);
  for (std::size_t i = 1; i < records.size(); ++i) {
    EXPECT_GT(records[i].id, records[i - 1].id);
    EXPECT_EQ(records[i].detections.size(), 1U);
  }
}

TEST_F(ElfPipeline, ALeakyQueueBehindThePredictionStallsNothing) {
  Pipeline pipeline(
      kBall + " ! elfrppredict ! queue leaky=downstream max-size-buffers=1 ! elfpartition ! " +
      offload("deadline=-1") + " ! elfmerge ! " + kSink);
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_FALSE(records.empty());
  EXPECT_EQ(records.back().id, static_cast<std::uint64_t>(kFrames - 1));
}

TEST_F(ElfPipeline, DuplicatedFramesAllComeOut) {
  for (const char* where :
       {"elfrppredict ! elfpartition ! videorate ! video/x-raw,framerate=60/1",
        "videorate ! video/x-raw,framerate=60/1 ! elfrppredict ! elfpartition"}) {
    SCOPED_TRACE(where);
    Pipeline pipeline(kBall + " ! " + where + " ! " + offload("max-in-flight=2") +
                      " ! elfmerge ! " + kSink);
    pipeline.play();
    const auto records = pipeline.all();
    EXPECT_GE(records.size(), static_cast<std::size_t>(2 * kFrames - 1));
    for (std::size_t i = 1; i < records.size(); ++i) EXPECT_GE(records[i].id, records[i - 1].id);
    for (const FrameRecord& record : records) EXPECT_EQ(record.detections.size(), 1U);
  }
}

TEST_F(ElfPipeline, AnotherFormatBetweenTheElementsChangesNothing) {
  Pipeline pipeline(kBall + " ! elfrppredict ! videoconvert ! video/x-raw,format=BGR ! " +
                    "elfpartition ! videoconvert ! video/x-raw,format=NV12 ! " + offload() +
                    " ! videoconvert ! video/x-raw,format=I420 ! elfmerge ! " + kSink);
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (const FrameRecord& record : records) {
    EXPECT_EQ(record.stage, 0);
    EXPECT_EQ(record.detections.size(), 1U);
    EXPECT_TRUE(record.plan.has_value());
    EXPECT_EQ(record.rps.has_value(), record.id > 0);
  }
}

TEST_F(ElfPipeline, ScalingBetweenTheElementsKeepsWhatWasFoundAndNothingElse) {
  const std::string scale = " ! videoscale ! video/x-raw,width=200,height=150 ! ";
  Pipeline before(kBall + " ! elfrppredict ! elfpartition" + scale + offload("deadline=1000") +
                  " ! elfmerge ! " + kSink);
  before.play();
  const auto records = before.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (const FrameRecord& record : records) {
    EXPECT_EQ(record.size, (Size{200, 150}));
    EXPECT_EQ(record.detections.size(), 1U);
  }
  Pipeline behind(kBall + " ! elfrppredict ! elfpartition ! " + offload() + scale + "elfmerge ! " +
                  kSink);
  behind.play();
  const auto scaled = behind.all();
  ASSERT_EQ(scaled.size(), static_cast<std::size_t>(kFrames));
  for (const FrameRecord& record : scaled) {
    EXPECT_EQ(record.size, (Size{200, 150}));
    EXPECT_EQ(record.detections.size(), 1U);
    EXPECT_FALSE(record.plan.has_value());
  }
}

TEST_F(ElfPipeline, OfTwoElfmergesBehindATeeTheFirstToAnswerCounts) {
  Pipeline pipeline(kBall + " ! elfrppredict ! elfpartition ! " + offload() +
                    " ! tee name=t ! queue ! elfmerge ! " + kSink +
                    " t. ! queue ! elfmerge ! fakesink sync=false");
  pipeline.play();
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].id, i);
    EXPECT_LE(records[i].horizon, 1);
    ASSERT_EQ(records[i].detections.size(), 1U);
    if (records[i].rps) {
      EXPECT_EQ(records[i].rps->size(), 1U) << "the ball was taken in twice";
    }
  }
}

TEST_F(ElfPipeline, OfStreamsThatAFunnelJoinsEachFrameIsToldOfOnce) {
  const std::string branch = kBall + " ! elfrppredict ! elfpartition ! " + offload() + " ! f. ";
  Pipeline pipeline(branch + branch + "funnel name=f ! elfmerge post-messages=true ! " + kSink);
  pipeline.play();
  EXPECT_EQ(pipeline.all().size(), static_cast<std::size_t>(2 * kFrames));
  std::map<std::string, int> told;
  GstBus* bus = gst_element_get_bus(pipeline.get());
  while (GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT)) {
    ++told[gst_structure_get_string(gst_message_get_structure(message), "trace")];
    gst_message_unref(message);
  }
  gst_object_unref(bus);
  EXPECT_EQ(told.size(), static_cast<std::size_t>(2 * kFrames));
  for (const auto& [trace, times] : told) EXPECT_EQ(times, 1) << trace;
}

TEST_F(ElfPipeline, EosBeforeAnyFrameEndsThePipeline) {
  // fakesrc has nothing to say about caps either.
  for (const char* source : {"fakesrc num-buffers=0", "videotestsrc num-buffers=0"}) {
    Pipeline pipeline(source + elf() + kSink);
    pipeline.play();
    EXPECT_TRUE(pipeline.all().empty());
  }
}

TEST_F(ElfPipeline, AnEndThatDownstreamWantsIsWaitedForByNobody) {
  Pipeline pipeline(kBall + elf("deadline=-1") + "identity eos-after=3 ! " + kSink);
  pipeline.play();
  EXPECT_EQ(pipeline.all().size(), 2U) << "identity ends instead of the third";
}

TEST_F(ElfPipeline, ManySeeksInARowLeaveAWorkingPipeline) {
  Pipeline pipeline(
      "videotestsrc pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! "
      "queue ! elfrppredict ! queue ! elfpartition ! queue ! " +
      offload("max-in-flight=3") + " ! queue ! elfmerge ! queue ! " + kSink);
  pipeline.play();
  ASSERT_TRUE(pipeline.next());
  for (int i = 1; i <= 40; ++i) {
    ASSERT_TRUE(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                        static_cast<gint64>(i) * GST_SECOND));
    if (i % 3 == 0) {
      ASSERT_TRUE(pipeline.next());
    }
  }
  std::optional<FrameRecord> record;
  do record = pipeline.next();
  while (record && pipeline.pts() < 40 * GST_SECOND);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->detections.size(), 1U);
}

TEST_F(ElfPipeline, ASegmentSeekLoopsWithoutLosingAFrame) {
  Pipeline pipeline(
      "videotestsrc pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1" +
      elf() + "appsink name=out sync=false");
  gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
  ASSERT_EQ(gst_element_get_state(pipeline.get(), nullptr, nullptr, 20 * GST_SECOND),
            GST_STATE_CHANGE_SUCCESS);
  const auto loop = [&](int flags) {
    return gst_element_seek(pipeline.get(), 1, GST_FORMAT_TIME,
                            static_cast<GstSeekFlags>(GST_SEEK_FLAG_SEGMENT | flags),
                            GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_SET, GST_SECOND / 3);
  };
  ASSERT_TRUE(loop(GST_SEEK_FLAG_FLUSH));
  pipeline.play();
  std::vector<FrameRecord> records;
  for (int round = 0; round < 3; ++round) {
    GstMessage* done = pipeline.await(GST_MESSAGE_SEGMENT_DONE);
    ASSERT_TRUE(done);
    gst_message_unref(done);
    for (int i = 0; i < 10; ++i) {
      auto record = pipeline.next();
      ASSERT_TRUE(record);
      records.push_back(std::move(*record));
    }
    if (round < 2) {
      ASSERT_TRUE(loop(0));
    }
  }
  for (std::size_t i = 1; i < records.size(); ++i) {
    EXPECT_EQ(records[i].id, records[i - 1].id + 1);
    EXPECT_EQ(records[i].generation, records[0].generation);
  }
}

TEST_F(ElfPipeline, PlaysBackwardsToo) {
  Pipeline pipeline(
      "videotestsrc pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1" +
      elf() + kSink);
  gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
  ASSERT_EQ(gst_element_get_state(pipeline.get(), nullptr, nullptr, 20 * GST_SECOND),
            GST_STATE_CHANGE_SUCCESS);
  ASSERT_TRUE(gst_element_seek(pipeline.get(), -1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                               GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_SET, GST_SECOND));
  pipeline.play();
  GstClockTime before = GST_CLOCK_TIME_NONE;
  std::size_t frames = 0;
  while (auto record = pipeline.next()) {
    EXPECT_LT(pipeline.pts(), before);
    EXPECT_EQ(record->detections.size(), 1U);
    before = pipeline.pts();
    ++frames;
  }
  EXPECT_GE(frames, 30U);
}

TEST(MaxInFlight, CountsAtOnceAlsoForThePrediction) {
  Gate model, source, predicted;
  const auto server = testing::startBlobServer(&model);
  const struct Opener {
    Gate& gate;
    ~Opener() { gate.open(); }
  } opener{model};
  // One part for each frame.
  Pipeline pipeline(kBall + " ! elfrppredict name=predict ! queue ! elfpartition scan-interval=0 " +
                    "change-threshold=0 ! elfoffload name=offload deadline=-1 model=blob servers=" +
                    server->url() + " ! elfmerge ! " + kSink);
  GstElement* predict = pipeline.element("predict");
  for (const auto& [name, gate] : {std::pair{"sink", &source}, std::pair{"src", &predicted}}) {
    GstPad* pad = gst_element_get_static_pad(predict, name);
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer passed) {
          static_cast<Gate*>(passed)->pass();
          return GST_PAD_PROBE_OK;
        },
        gate, nullptr);
    gst_object_unref(pad);
  }
  gst_object_unref(predict);
  constexpr int kBefore = 10, kMost = 4;
  source.close();
  pipeline.play();
  for (int i = 0; i < kBefore; ++i) {
    source.letOnePass();
    ASSERT_TRUE(pipeline.next());
  }

  GstElement* offload = pipeline.element("offload");
  g_object_set(offload, "max-in-flight", kMost, nullptr);
  gst_object_unref(offload);
  model.close();
  source.open();
  // The next one waits for its turn.
  source.awaitEntered(kBefore + kMost + 1);
  // The first of those in flight is answered, perhaps one more.
  while (predicted.entered() <= kBefore + kMost) {
    const int before = model.entered();
    model.letOnePass();
    model.awaitEntered(before + 1);
  }
  model.open();
  int longest = 0;
  while (const auto record = pipeline.next()) longest = std::max(longest, record->horizon);
  EXPECT_GT(longest, 1);
  EXPECT_LE(longest, kMost);
}

TEST_F(ElfPipeline, RowsWithPaddingGiveTheSameDetections) {
  // The same picture twice: rows end to end, then rows with room behind them and planes apart.
  Pipeline pipeline(
      "appsrc name=in format=time caps=video/x-raw,format=I420,width=322,height=242,"
      "framerate=30/1 ! " +
      offload() + " ! elfmerge ! " + kSink);
  GstElement* in = pipeline.element("in");
  constexpr guint kWidth = 322, kHeight = 242;
  const auto push = [&](gint luma, gint chroma, gsize between, GstClockTime pts) {
    const gsize lumaSize = static_cast<gsize>(luma) * kHeight;
    const gsize chromaSize = static_cast<gsize>(chroma) * (kHeight / 2);
    gsize offsets[GST_VIDEO_MAX_PLANES] = {between, lumaSize + 2 * between,
                                           lumaSize + chromaSize + 3 * between};
    gint strides[GST_VIDEO_MAX_PLANES] = {luma, chroma, chroma};
    // What is not of the picture is bright, so that a wrong stride shows.
    std::vector<guint8> bytes(lumaSize + 2 * chromaSize + 4 * between, 235);
    for (guint y = 0; y < kHeight; ++y)
      for (guint x = 0; x < kWidth; ++x)
        bytes[offsets[0] + y * static_cast<gsize>(luma) + x] =
            x >= 100 && x < 160 && y >= 60 && y < 140 ? 235 : 16;
    for (const int plane : {1, 2})
      for (guint y = 0; y < kHeight / 2; ++y)
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offsets[plane] +
                                                                y * static_cast<gsize>(chroma)),
                    kWidth / 2, guint8{128});
    GstBuffer* buffer = gst_buffer_new_memdup(bytes.data(), bytes.size());
    GST_BUFFER_PTS(buffer) = pts;
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_I420, kWidth,
                                   kHeight, 3, offsets, strides);
    gst_app_src_push_buffer(GST_APP_SRC(in), buffer);
  };
  pipeline.play();
  push(322, 161, 0, 0);
  push(407, 233, 51, GST_SECOND);
  gst_app_src_end_of_stream(GST_APP_SRC(in));
  gst_object_unref(in);
  const auto records = pipeline.all();
  ASSERT_EQ(records.size(), 2U);
  for (const FrameRecord& record : records) ASSERT_EQ(record.detections.size(), 1U);
  EXPECT_EQ(records[0].detections[0].box, records[1].detections[0].box);
  EXPECT_GT(iou(records[0].detections[0].box, Box{100, 60, 160, 140}), 0.9);
}

TEST_F(ElfPipeline, ThreadsThatChangeTheStateAtOnceLeaveAPipelineThatCanBeStopped) {
  Pipeline pipeline(kBall + elf("max-in-flight=2") + kSink);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 8; ++i)
        gst_element_set_state(pipeline.get(), (i + t) % 3 == 0   ? GST_STATE_NULL
                                              : (i + t) % 3 == 1 ? GST_STATE_PAUSED
                                                                 : GST_STATE_PLAYING);
    });
  for (std::thread& thread : threads) thread.join();
  pipeline.stop();
  pipeline.play();
  EXPECT_EQ(pipeline.all().size(), static_cast<std::size_t>(kFrames));
}

}  // namespace
}  // namespace elf::gst
