// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gst/elfvision/gstelfanalytics.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfresult.h"
#include "tests/support/analytics.h"
#include "tests/support/bus.h"
#include "tests/support/fake_end.h"
#include "tests/support/harness.h"
#include "tests/support/own_stream.h"

namespace elf::gst {
namespace {

using elf::testing::BusOf;
using elf::testing::FakeEnd;
using elf::testing::Harness;
using elf::testing::OwnStream;

std::vector<std::string> servers(int count) {
  std::vector<std::string> urls;
  for (int i = 1; i <= count; ++i) urls.push_back("http://10.0.0." + std::to_string(i) + ":1");
  return urls;
}

class Partition : public ::testing::Test {
 protected:
  explicit Partition(const char* launch = "elfpartition") : harness_(launch) {
    harness_.setVideo(640, 480);
  }

  /** From now on these servers are downstream. */
  void tell(const std::vector<std::string>& urls) {
    end_ = std::make_unique<FakeEnd>(urls);
    end_->attach(upstream_.stream, kMany);
    if (own_) end_->attach(own_, kMany);
    if (std::exchange(listening_, true)) return;
    gst_pad_add_probe(
        harness_.get()->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          auto* self = static_cast<Partition*>(data);
          self->own_ = parseStreamQuery(GST_PAD_PROBE_INFO_QUERY(info));
          if (!self->own_) return GST_PAD_PROBE_OK;
          self->end_->attach(self->own_, kMany);
          return GST_PAD_PROBE_HANDLED;
        },
        this, nullptr);
  }

  FrameRecord plan(GstBuffer* buffer) {
    EXPECT_EQ(harness_.push(buffer), GST_FLOW_OK);
    GstBuffer* out = harness_.pull();
    FrameRecord record = *getRecord(out);
    gst_buffer_unref(out);
    return record;
  }
  /** The same, and what is downstream sees nothing in it. */
  FrameRecord pass(GstBuffer* buffer) {
    const FrameRecord record = plan(buffer);
    if (end_) end_->pass(record, {});
    return record;
  }

  GstBuffer* frameWithRoi(int number) {
    GstBuffer* buffer = harness_.frame(number);
    gst_buffer_add_video_region_of_interest_meta(buffer, "person", 100, 100, 50, 80);
    return buffer;
  }

  GstBuffer* frameWithRps(int number, std::vector<Rp> rps) {
    FrameRecord record = upstream_.enter();
    record.rps = std::move(rps);
    return upstream_.carry(number, std::move(record));
  }

  /** Of a cold start. */
  GstBuffer* frameWithoutRps(int number) { return upstream_.carry(number, upstream_.enter()); }

  static inline const Slots::Limits kMany{.bounded = true, .maxInFlight = 64};

  std::unique_ptr<FakeEnd> end_;
  Harness harness_;
  /** That of an elfrppredict before it. */
  OwnStream upstream_{harness_, {640, 480}};
  /** That of the element itself, where it had to offer one. */
  StreamPtr own_;
  bool listening_ = false;
};

TEST_F(Partition, AloneItPlansTheWholeFrameForOneServer) {
  const Plan plan = *pass(harness_.frame(0)).plan;
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].rect, (Rect{0, 0, 640, 480}));
  EXPECT_EQ(plan.parts[0].kind, PartKind::Full);
}

TEST_F(Partition, PlansEachFrameForTheServersAsTheyAreThen) {
  tell(servers(3));
  EXPECT_EQ(pass(harness_.frame(0)).plan->parts.size(), 3U);
  tell(servers(2));
  EXPECT_EQ(pass(harness_.frame(1)).plan->parts.size(), 2U);
}

TEST_F(Partition, APartGoesToTheServerThatOtherStreamsLeaveFree) {
  for (const std::size_t busy : {0U, 1U}) {
    tell(servers(2));
    end_->pool().server(servers(2).at(busy), "hog", 0)->begin(1e7, 1e6);
    Rp rp;
    rp.box = rp.expected = {10, 10, 50, 90};
    const Plan plan = *pass(frameWithRps(static_cast<int>(busy), {rp})).plan;
    ASSERT_EQ(plan.parts.size(), 1U);
    EXPECT_EQ(plan.parts[0].server, static_cast<int>(1 - busy));
  }
}

TEST_F(Partition, RegionsOfInterestFromUpstreamAreTheRps) {
  const FrameRecord record = pass(frameWithRoi(0));
  ASSERT_TRUE(record.rps.has_value());
  EXPECT_EQ(record.rps->at(0).box, (Box{100, 100, 150, 180}));
  EXPECT_EQ(record.rps->at(0).label, "person");
  ASSERT_EQ(record.plan->parts.size(), 1U);
  EXPECT_EQ(record.plan->parts[0].kind, PartKind::Rp);
}

TEST_F(Partition, RegionsOfEarlierStagesArePlacesToLookAtWhereThatIsAskedFor) {
  const auto withStages = [&](int number) {
    GstBuffer* buffer = frameWithRoi(number);
    FrameRecord earlier;
    earlier.size = {640, 480};
    earlier.detections = {{.box = {300, 100, 340, 200}, .label = "face"}};
    replaceRegions(buffer, earlier);
    return buffer;
  };
  EXPECT_EQ(pass(withStages(0)).rps->size(), 1U) << "that of another element";
  gst_util_set_object_arg(G_OBJECT(harness_.element()), "regions", "upstream");
  const FrameRecord both = pass(withStages(1));
  ASSERT_EQ(both.rps->size(), 2U);
  EXPECT_TRUE(both.rps->at(0).expected.empty()) << "what is in it may be of another kind";
  g_object_set(harness_.element(), "regions-label", "face", nullptr);
  const FrameRecord faces = pass(withStages(2));
  ASSERT_EQ(faces.rps->size(), 1U);
  EXPECT_EQ(faces.rps->at(0).box, (Box{300, 100, 340, 200}));
  EXPECT_TRUE(pass(harness_.frame(3)).rps->empty()) << "known, there are none";
  gst_util_set_object_arg(G_OBJECT(harness_.element()), "regions", "none");
  EXPECT_FALSE(pass(withStages(4)).rps.has_value());
}

/** Of a build that knows detections in analytics metas. */
class PartitionOfAnalytics : public Partition {
 protected:
  void SetUp() override {
    if (!hasAnalytics()) GTEST_SKIP() << "built without GStreamer's analytics library";
  }

  /** With what a first stage found. */
  GstBuffer* withStage(int number) {
    FrameRecord earlier;
    earlier.size = {640, 480};
    earlier.answered = true;
    earlier.detections = {{.box = {300, 100, 340, 200}, .score = 0.5F, .label = "face", .id = 3}};
    GstBuffer* buffer = harness_.frame(number);
    addAnalytics(buffer, earlier);
    setRecord(buffer, std::make_shared<const FrameRecord>(std::move(earlier)));
    return buffer;
  }
};

TEST_F(PartitionOfAnalytics, DetectionsOfOtherElementsAreTheRps) {
  GstBuffer* buffer = harness_.frame(0);
  elf::testing::addAnalyticsDetection(buffer, "person", {100, 100, 50, 80}, 0.5F);
  elf::testing::addAnalyticsDetection(buffer, "car", {-20, 300, 60, 80}, 0.5F);
  const FrameRecord record = pass(buffer);
  ASSERT_EQ(record.rps->size(), 2U);
  EXPECT_EQ(record.rps->at(0).box, (Box{100, 100, 150, 180}));
  EXPECT_EQ(record.rps->at(0).expected, record.rps->at(0).box);
  EXPECT_EQ(record.rps->at(0).label, "person");
  EXPECT_EQ(record.rps->at(1).box, (Box{0, 300, 40, 380}));
  g_object_set(harness_.element(), "regions-label", "car", nullptr);
  EXPECT_TRUE(pass(harness_.frame(1)).rps->empty()) << "known, there are none";
}

TEST_F(PartitionOfAnalytics, WhatBothKindsOfMetaTellIsOneRegion) {
  GstBuffer* buffer = frameWithRoi(0);
  elf::testing::addAnalyticsDetection(buffer, "person", {101, 100, 49, 81}, 0.5F);
  elf::testing::addAnalyticsDetection(buffer, "car", {100, 100, 50, 80}, 0.5F);
  elf::testing::addAnalyticsDetection(buffer, "person", {130, 100, 50, 80}, 0.5F);
  EXPECT_EQ(pass(buffer).rps->size(), 3U);
}

TEST_F(PartitionOfAnalytics, DetectionsOfEarlierStagesArePlacesToLookAtWhereThatIsAskedFor) {
  EXPECT_FALSE(pass(withStage(0)).rps.has_value());
  gst_util_set_object_arg(G_OBJECT(harness_.element()), "regions", "upstream");
  const FrameRecord upstream = pass(withStage(1));
  ASSERT_EQ(upstream.rps->size(), 1U);
  EXPECT_EQ(upstream.rps->at(0).box, (Box{300, 100, 340, 200}));
  EXPECT_TRUE(upstream.rps->at(0).expected.empty());
}

TEST_F(Partition, UpstreamRegionsTakeThePlaceOfPredictedOnes) {
  gst_util_set_object_arg(G_OBJECT(harness_.element()), "regions", "upstream");
  Rp rp;
  rp.box = rp.expected = {10, 10, 50, 90};
  GstBuffer* buffer = frameWithRps(0, {rp});
  gst_buffer_add_video_region_of_interest_meta(buffer, "person", 100, 100, 50, 80);
  const FrameRecord record = pass(buffer);
  ASSERT_EQ(record.rps->size(), 1U);
  EXPECT_EQ(record.rps->at(0).box, (Box{100, 100, 150, 180}));
}

TEST_F(Partition, AFrameWithoutRegionsHasNoneOnceUpstreamGaveAny) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, nullptr);
  tell(servers(1));
  EXPECT_FALSE(pass(harness_.frame(0)).rps.has_value());
  pass(frameWithRoi(1));
  const FrameRecord record = pass(harness_.frame(2));
  ASSERT_TRUE(record.rps.has_value());
  EXPECT_TRUE(record.plan->parts.empty());
}

TEST_F(Partition, EveryScanIntervalEachPixelIsLookedAt) {
  g_object_set(harness_.element(), "scan-interval", 3, nullptr);
  tell(servers(2));
  pass(frameWithoutRps(0));
  double area = 0;
  for (int i = 1; i <= 3; ++i) {
    const Plan plan = *pass(frameWithRps(i, {})).plan;
    for (const Part& part : plan.parts) {
      EXPECT_EQ(part.kind, PartKind::Scan);
      area += part.rect.area();
    }
  }
  EXPECT_GE(area, 640 * 480);
}

TEST_F(Partition, TheGridChangesWhilePlaying) {
  gst_util_set_object_arg(G_OBJECT(harness_.element()), "partitioner", "grid");
  tell(servers(2));
  EXPECT_EQ(pass(frameWithoutRps(0)).plan->parts.size(), 2U);
  g_object_set(harness_.element(), "grid-columns", 3, nullptr);
  EXPECT_EQ(pass(frameWithoutRps(1)).plan->parts.size(), 2U) << "both are needed";
  g_object_set(harness_.element(), "grid-rows", 2, nullptr);
  const Plan plan = *pass(frameWithoutRps(2)).plan;
  ASSERT_EQ(plan.parts.size(), 6U);
  for (const Part& part : plan.parts) EXPECT_LT(part.rect.width, 640 / 3 * 1.3);
}

TEST_F(Partition, WithoutDiscoveryNothingIsLookedAtButRps) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, nullptr);
  tell(servers(1));
  pass(frameWithoutRps(0));
  for (int i = 1; i < 50; ++i) EXPECT_TRUE(pass(frameWithRps(i, {})).plan->parts.empty());
}

TEST_F(Partition, WherePixelsChangeIsLookedAt) {
  g_object_set(harness_.element(), "scan-interval", 0, nullptr);
  tell(servers(1));
  pass(frameWithoutRps(0));
  EXPECT_TRUE(pass(frameWithRps(1, {})).plan->parts.empty());
  GstBuffer* changed = frameWithRps(2, {});
  GstMapInfo map;
  gst_buffer_map(changed, &map, GST_MAP_WRITE);
  for (int y = 200; y < 260; ++y) std::fill_n(map.data + y * 640 + 300, 40, 255);
  gst_buffer_unmap(changed, &map);
  const Plan plan = *pass(changed).plan;
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].kind, PartKind::Scan);
  EXPECT_TRUE(contains(plan.parts[0].rect, {300, 200, 40, 60}));
}

TEST_F(Partition, WhatServersDidNotAnswerIsLookedAtNext) {
  g_object_set(harness_.element(), "scan-interval", 12, "change-threshold", 0, nullptr);
  tell(servers(1));
  pass(frameWithoutRps(0));
  FrameRecord record = plan(frameWithRps(1, {}));
  ASSERT_EQ(record.plan->parts.size(), 1U);
  const Rect tile = record.plan->parts[0].rect;
  elf::testing::GreyPixels pixels(record.size);
  upstream_.stream->submit(std::move(record), pixels, std::nullopt, [](const FrameRecordPtr&) {});
  end_->fail(end_->open().at(0));
  g_object_set(harness_.element(), "scan-interval", 0, nullptr);
  const Plan plan = *pass(frameWithRps(2, {})).plan;
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_TRUE(contains(plan.parts[0].rect, tile));
  EXPECT_TRUE(pass(frameWithRps(3, {})).plan->parts.empty());
}

TEST_F(Partition, WhatWasPlannedForAFrameThatWasDroppedIsPlannedAgain) {
  g_object_set(harness_.element(), "scan-interval", 12, "change-threshold", 0, nullptr);
  tell(servers(1));
  pass(frameWithoutRps(0));
  const Rect tile = plan(frameWithRps(1, {})).plan->parts.at(0).rect;
  g_object_set(harness_.element(), "scan-interval", 0, nullptr);
  const Plan plan = *pass(frameWithRps(2, {})).plan;
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_TRUE(contains(plan.parts[0].rect, tile));
  EXPECT_TRUE(pass(frameWithRps(3, {})).plan->parts.empty());
}

TEST_F(Partition, AFrameThatIsToPassUnsentGetsNoPlan) {
  tell(servers(1));
  FrameRecord record = upstream_.enter();
  record.skipped = true;
  EXPECT_FALSE(plan(upstream_.carry(0, std::move(record))).plan.has_value());
}

TEST_F(Partition, CountsWhatItPlans) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, nullptr);
  tell(servers(2));
  pass(frameWithoutRps(0));
  pass(frameWithRps(1, {}));
  pass(frameWithRps(2, {}));
  GstStructure* stats = nullptr;
  g_object_get(harness_.element(), "stats", &stats, nullptr);
  const auto count = [&](const char* field) {
    guint64 value = G_MAXUINT64;
    gst_structure_get_uint64(stats, field, &value);
    return value;
  };
  EXPECT_EQ(count("frames"), 3U);
  EXPECT_EQ(count("cold"), 1U);
  EXPECT_EQ(count("empty"), 2U);
  EXPECT_EQ(count("parts-full"), 2U);
  EXPECT_EQ(count("parts-rp"), 0U);
  EXPECT_GE(count("pixels"), 640U * 480U);
  gst_structure_free(stats);
}

TEST_F(Partition, AnLrcGoesToTheServerThatIsNamed) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, "lrc-interval", 2,
               "lrc-ratio", 0.5, "lrc-server", "http://10.0.0.2:1", nullptr);
  tell(servers(3));
  pass(frameWithoutRps(0));
  EXPECT_TRUE(pass(frameWithRps(1, {})).plan->parts.empty());
  const Plan plan = *pass(frameWithRps(2, {})).plan;
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].kind, PartKind::Lrc);
  EXPECT_EQ(plan.parts[0].server, 1);
  EXPECT_EQ(plan.parts[0].sentSize(), (Size{320, 240}));
}

TEST_F(Partition, TheServerOfTheLrcMayBeSpelledAsElfoffloadsMay) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, "lrc-interval", 1,
               "lrc-server", " http://10.0.0.2:1/ ", nullptr);
  tell(servers(2));
  BusOf bus(harness_.element());
  const Plan plan = *pass(frameWithRps(1, {})).plan;
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].server, 1);
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING));
}

TEST_F(Partition, AnLrcServerThatIsNoneOfElfoffloadsIsToldOnce) {
  g_object_set(harness_.element(), "lrc-interval", 1, "lrc-server", "http://c:1", nullptr);
  BusOf bus(harness_.element());
  pass(frameWithRps(1, {}));
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING)) << "there is no elfoffload";
  tell(servers(2));
  pass(frameWithRps(2, {}));
  EXPECT_NE(bus.text(GST_MESSAGE_WARNING).find("http://c:1"), std::string::npos);
  pass(frameWithRps(3, {}));
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING));
  g_object_set(harness_.element(), "lrc-server", "b:1", nullptr);
  pass(frameWithRps(4, {}));
  EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 1) << "that is not a URL";
}

TEST_F(Partition, ARecordForOtherPixelsIsIgnored) {
  FrameRecord record;
  record.id = 99;
  record.size = {320, 240};
  GstBuffer* buffer = harness_.frame(0);
  setRecord(buffer, std::make_shared<const FrameRecord>(record));
  const FrameRecord out = pass(buffer);
  EXPECT_EQ(out.size, (Size{640, 480}));
  EXPECT_NE(out.id, 99U);
}

TEST_F(Partition, KeepsTheIdOfTheFrame) {
  const FrameRecord record = upstream_.enter();
  EXPECT_EQ(pass(upstream_.carry(0, record)).id, record.id);
  EXPECT_EQ(upstream_.enter().id, record.id + 1);
}

/** The whole frame is a region, and an elfrppredict is before. */
class UpstreamRegions : public ::testing::Test {
 protected:
  UpstreamRegions() {
    elf::testing::putBehind(harness_, end_);
    harness_.setVideo(1280, 480);
  }

  FrameRecord next() {
    GstBuffer* buffer = harness_.frame(number_++);
    gst_buffer_add_video_region_of_interest_meta(buffer, "street", 0, 0, 1280, 480);
    EXPECT_EQ(harness_.push(buffer), GST_FLOW_OK);
    GstBuffer* out = harness_.pull();
    FrameRecord record = *getRecord(out);
    gst_buffer_unref(out);
    return record;
  }
  /** Who that is. */
  Identity see(const Box& box) {
    return end_.pass(next(), {{.box = box, .score = 1}})->detections.at(0).id;
  }

  FakeEnd end_;
  Harness harness_{
      "elfrppredict predictor=velocity ! elfpartition name=partition regions=upstream "
      "scan-interval=0 change-threshold=0"};
  int number_ = 0;
};

TEST_F(UpstreamRegions, PaddingLearnsNothingFromPredictionsThatWereNotUsed) {
  const auto padding = [&] {
    const Rp rp = next().rps->at(0);
    return rp.expected.x0 - rp.box.x0;
  };
  constexpr Box kStill{100, 100, 150, 200};
  const auto use = [&](const char* regions) {
    gst_util_set_object_arg(G_OBJECT(harness_.named("partition")), "regions", regions);
  };
  for (int i = 0; i < 10; ++i) see(kStill);
  use("none");
  const float before = padding();
  use("upstream");
  for (int i = 0; i < 150; ++i) see(kStill);
  use("none");
  EXPECT_GT(before, 1);
  EXPECT_EQ(padding(), before);
}

TEST_F(UpstreamRegions, ObjectsAreLookedForWhereTheyArePredicted) {
  float x = 0;
  const auto at = [&] { return Box{x, 100, x + 50, 200}; };
  const Identity who = see(at());
  for (const float step : {40, 60, 80, 100, 120, 130, 130}) {
    x += step;
    EXPECT_EQ(see(at()), who) << "at " << x;
  }
}

class GridPartition : public Partition {
 protected:
  GridPartition() : Partition("elfpartition partitioner=grid") {}
};

TEST_F(GridPartition, CoversTheFrameEachTimeWhateverTheRps) {
  tell(servers(2));
  for (int i = 0; i < 3; ++i) {
    const Plan plan = *pass(frameWithRps(i, {})).plan;
    ASSERT_EQ(plan.parts.size(), 2U);
    EXPECT_EQ(plan.parts[0].kind, PartKind::Grid);
  }
}

}  // namespace
}  // namespace elf::gst
