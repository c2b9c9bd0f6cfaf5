// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>

#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/harness.h"

namespace elf::gst {
namespace {

using elf::testing::BusOf;
using elf::testing::Harness;

CapacityPtr servers(std::size_t count) {
  Capacity capacity;
  capacity.servers.resize(count);
  return std::make_shared<const Capacity>(std::move(capacity));
}

class Partition : public ::testing::Test {
 protected:
  explicit Partition(const char* launch = "elfpartition") : harness_(launch) {
    harness_.setVideo(640, 480);
  }

  /** From now on downstream has these servers. */
  void tell(const CapacityPtr& capacity) {
    capacity_ = capacity;
    if (answering_) return;
    answering_ = true;
    gst_pad_add_probe(
        harness_.get()->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
        [](GstPad*, GstPadProbeInfo* info, gpointer self) {
          GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
          if (!isCapacityQuery(query)) return GST_PAD_PROBE_OK;
          answerCapacityQuery(query, static_cast<Partition*>(self)->capacity_);
          return GST_PAD_PROBE_HANDLED;
        },
        this, nullptr);
  }

  FrameRecord pass(GstBuffer* buffer) {
    EXPECT_EQ(harness_.push(buffer), GST_FLOW_OK);
    GstBuffer* out = harness_.pull();
    FrameRecord record = *getRecord(out);
    gst_buffer_unref(out);
    return record;
  }

  GstBuffer* frameWithRoi(int number) {
    GstBuffer* buffer = harness_.frame(number);
    gst_buffer_add_video_region_of_interest_meta(buffer, "person", 100, 100, 50, 80);
    return buffer;
  }

  GstBuffer* frameWithRps(int number, std::vector<Rp> rps) {
    FrameRecord record;
    record.id = static_cast<std::uint64_t>(number);
    record.size = {640, 480};
    record.rps = std::move(rps);
    GstBuffer* buffer = harness_.frame(number);
    setRecord(buffer, std::make_shared<const FrameRecord>(std::move(record)));
    return buffer;
  }

  Harness harness_;
  CapacityPtr capacity_;
  bool answering_ = false;
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
  Capacity capacity = *servers(2);
  for (const std::size_t busy : {0U, 1U}) {
    capacity.servers[busy].busy = 1;
    capacity.servers[1 - busy].busy = 0;
    tell(std::make_shared<const Capacity>(capacity));
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

TEST_F(Partition, AFrameWithoutRegionsHasNoneOnceUpstreamGaveAny) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, nullptr);
  EXPECT_FALSE(pass(harness_.frame(0)).rps.has_value());
  pass(frameWithRoi(1));
  const FrameRecord record = pass(harness_.frame(2));
  ASSERT_TRUE(record.rps.has_value());
  EXPECT_TRUE(record.plan->parts.empty());
}

TEST_F(Partition, EveryScanIntervalEachPixelIsLookedAt) {
  g_object_set(harness_.element(), "scan-interval", 3, nullptr);
  tell(servers(2));
  pass(harness_.frame(0));
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

TEST_F(Partition, WithoutDiscoveryNothingIsLookedAtButRps) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, nullptr);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(pass(frameWithRps(i, {})).plan->parts.empty());
}

TEST_F(Partition, WherePixelsChangeIsLookedAt) {
  g_object_set(harness_.element(), "scan-interval", 0, nullptr);
  pass(harness_.frame(0));
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
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, nullptr);
  pass(harness_.frame(0));
  Feedback feedback{.id = 1, .size = {640, 480}, .unseen = {{100, 100, 200, 200}}};
  feedback.generation = pass(frameWithRps(1, {})).generation;
  gst_harness_push_upstream_event(harness_.get(),
                                  newDetectionsEvent(std::make_shared<const Feedback>(feedback)));
  const Plan plan = *pass(frameWithRps(2, {})).plan;
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_TRUE(contains(plan.parts[0].rect, feedback.unseen[0]));
  EXPECT_TRUE(pass(frameWithRps(3, {})).plan->parts.empty());
}

TEST_F(Partition, AnLrcGoesToTheServerThatIsNamed) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, "lrc-interval", 2,
               "lrc-ratio", 0.5, "lrc-server", "http://b", nullptr);
  Capacity capacity;
  capacity.servers = {{.url = "http://a"}, {.url = "http://b"}, {.url = "http://c"}};
  tell(std::make_shared<const Capacity>(capacity));
  pass(harness_.frame(0));
  EXPECT_TRUE(pass(frameWithRps(1, {})).plan->parts.empty());
  const Plan plan = *pass(frameWithRps(2, {})).plan;
  ASSERT_EQ(plan.parts.size(), 1U);
  EXPECT_EQ(plan.parts[0].kind, PartKind::Lrc);
  EXPECT_EQ(plan.parts[0].server, 1);
  EXPECT_EQ(plan.parts[0].sentSize(), (Size{320, 240}));
}

TEST_F(Partition, TheServerOfTheLrcMayBeSpelledAsElfoffloadsMay) {
  g_object_set(harness_.element(), "scan-interval", 0, "change-threshold", 0, "lrc-interval", 1,
               "lrc-server", " http://b:1/ ", nullptr);
  Capacity capacity;
  capacity.servers = {{.url = "http://a:1"}, {.url = "http://b:1"}};
  tell(std::make_shared<const Capacity>(capacity));
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
  Capacity capacity;
  capacity.servers = {{.url = "http://a:1"}, {.url = "http://b:1"}};
  tell(std::make_shared<const Capacity>(capacity));
  pass(frameWithRps(2, {}));
  EXPECT_NE(bus.text(GST_MESSAGE_WARNING).find("http://c:1"), std::string::npos);
  pass(frameWithRps(3, {}));
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING));
  g_object_set(harness_.element(), "lrc-server", "b:1", nullptr);
  pass(frameWithRps(4, {}));
  EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 1) << "that is no URL";
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
  EXPECT_EQ(pass(frameWithRps(17, {})).id, 17U);
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
