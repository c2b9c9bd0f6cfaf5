// SPDX-License-Identifier: LGPL-2.1-or-later
// Which metas elfmerge gives a frame, and what its analytics metas say.
#include <gmock/gmock.h>
#include <gst/video/gstvideometa.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gst/elfvision/gstelfanalytics.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfref.h"
#include "tests/support/analytics.h"
#include "tests/support/bus.h"
#include "tests/support/harness.h"

namespace elf::gst {
namespace {

using namespace std::chrono_literals;
using elf::testing::AnalyticsDetection;
using elf::testing::analyticsOn;
using elf::testing::AnalyticsTrack;
using elf::testing::Harness;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr Size kSize{640, 480};
constexpr Box kPerson{100, 120, 160.5F, 280};

Detection person() {
  return {.box = kPerson,
          .score = 0.75F,
          .label = "person",
          .id = 5,
          .server = 0,
          .seen = {40ms, 120ms}};
}

FrameRecord answered(std::vector<Detection> detections) {
  FrameRecord record;
  record.size = kSize;
  record.entered = std::chrono::steady_clock::now();
  record.answered = record.inferred = true;
  record.detections = std::move(detections);
  return record;
}

/** Frames through an elfmerge. */
class MergeMetas : public ::testing::Test {
 protected:
  ~MergeMetas() override { gst_clear_buffer(&out_); }

  void use(const std::string& launch) {
    harness_ = std::make_unique<Harness>(launch);
    harness_->setVideo(kSize.width, kSize.height);
  }
  GstBuffer* frame(FrameRecord record) const {
    GstBuffer* buffer = harness_->frame(0);
    setRecord(buffer, std::make_shared<const FrameRecord>(std::move(record)));
    return buffer;
  }
  /** What comes out, which the fixture owns. */
  GstBuffer* pass(GstBuffer* buffer) {
    EXPECT_EQ(harness_->push(buffer), GST_FLOW_OK);
    gst_clear_buffer(&out_);
    return out_ = harness_->pull();
  }
  GstBuffer* pass(FrameRecord record) { return pass(frame(std::move(record))); }

  static int regionsOn(GstBuffer* buffer) {
    return static_cast<int>(
        gst_buffer_get_n_meta(buffer, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
  }

  std::unique_ptr<Harness> harness_;
  GstBuffer* out_ = nullptr;
};

TEST_F(MergeMetas, AreBothKindsByDefaultWhereTheLibraryIsThereAndElseRegions) {
  use("elfmerge");
  GstBuffer* out = pass(answered({person()}));
  EXPECT_EQ(regionsOn(out), 1);
  EXPECT_EQ(analyticsOn(out).has_value(), hasAnalytics());
}

TEST_F(MergeMetas, AreTheKindThatIsAskedFor) {
  for (const auto& [metas, regions, analytics] : {std::tuple{"roi", 1, false},
                                                  {"none", 0, false},
                                                  {"analytics", 0, true},
                                                  {"both", 1, true}}) {
    if (analytics && !hasAnalytics()) continue;
    use(std::string("elfmerge metas=") + metas);
    GstBuffer* out = pass(answered({person()}));
    EXPECT_EQ(regionsOn(out), regions) << metas;
    EXPECT_EQ(analyticsOn(out).has_value(), analytics) << metas;
  }
}

TEST_F(MergeMetas, ThatThisBuildDoesNotHaveAreOneError) {
  if (hasAnalytics()) GTEST_SKIP() << "built with GStreamer's analytics library";
  for (const std::string metas : {"analytics", "both"}) {
    GstElement* element = gst_element_factory_make("elfmerge", nullptr);
    elf::testing::BusOf bus(element);
    gst_util_set_object_arg(G_OBJECT(element), "metas", metas.c_str());
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    gst_element_set_state(element, GST_STATE_NULL);
    EXPECT_EQ(bus.text(GST_MESSAGE_ERROR),
              "metas: can't be " + metas +
                  ": Elf was built without GStreamer's analytics library, which GStreamer has from "
                  "version 1.24 on (auto, roi or none)");
    EXPECT_EQ(bus.count(GST_MESSAGE_ERROR), 0);
    gst_object_unref(element);
  }
}

/** Of a build that has them. */
class MergeAnalytics : public MergeMetas {
 protected:
  void SetUp() override {
    if (!hasAnalytics()) GTEST_SKIP() << "built without GStreamer's analytics library";
    use("elfmerge metas=analytics");
  }

  std::vector<AnalyticsDetection> analytics(GstBuffer* buffer) {
    return analyticsOn(buffer).value();
  }
  AnalyticsDetection only(Detection detection) {
    const auto all = analytics(pass(answered({std::move(detection)})));
    EXPECT_THAT(all, SizeIs(1));
    return all.at(0);
  }
};

TEST_F(MergeAnalytics, TellLabelBoxScoreAndIdentityOfEachDetection) {
  const AnalyticsDetection found = only(person());
  EXPECT_EQ(found.label, "person");
  EXPECT_EQ(found.box, (Rect{100, 120, 61, 160}));
  EXPECT_EQ(found.confidence, 0.75F);
  EXPECT_EQ(found.angle, 0);
  EXPECT_THAT(found.tracks,
              ElementsAre(AnalyticsTrack{5, 40 * GST_MSECOND, 120 * GST_MSECOND, false}));
  EXPECT_TRUE(found.masks.empty());
  EXPECT_TRUE(found.classes.empty());
}

TEST_F(MergeAnalytics, OfACoastedDetectionTellThatItIsLost) {
  Detection detection = person();
  detection.coasted = true;
  EXPECT_THAT(only(detection).tracks,
              ElementsAre(AnalyticsTrack{5, 40 * GST_MSECOND, 120 * GST_MSECOND, true}));
}

TEST_F(MergeAnalytics, WithoutTimesOrIdentityTellNone) {
  Detection detection = person();
  detection.seen = {};
  EXPECT_THAT(only(detection).tracks,
              ElementsAre(AnalyticsTrack{5, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, false}));
  detection.id = kNoIdentity;
  detection.label.clear();
  detection.labelId = 7;
  const AnalyticsDetection found = only(detection);
  EXPECT_TRUE(found.tracks.empty());
  EXPECT_EQ(found.label, "7");
}

TEST_F(MergeAnalytics, ThatAreEmptyTellThatNothingWasFound) {
  EXPECT_THAT(analytics(pass(answered({}))), SizeIs(0));
}

TEST_F(MergeAnalytics, TellTheClassThatAClassifierNames) {
  FrameRecord record = answered({person(), person()});
  record.detections[1].id = 6;
  record.detections[1].coasted = true;
  Capacity capacity;
  capacity.rules.classified = true;
  record.capacity = std::make_shared<const Capacity>(capacity);
  const auto all = analytics(pass(record));
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_THAT(all[0].classes, ElementsAre("person"));
  EXPECT_TRUE(all[1].classes.empty()) << "nobody looked at it";
}

TEST_F(MergeAnalytics, OfAnObjectWithAMaskHaveItsPixels) {
  if (!GST_CHECK_VERSION(1, 26, 0)) GTEST_SKIP() << "GStreamer has masks from version 1.26 on";
  Detection detection = person();
  detection.box = {10, 20, 13, 22};
  detection.mask = Mask({10, 20, 3, 2}, {1, 0, 0, 1, 1, 0});
  const AnalyticsDetection found = only(detection);
  ASSERT_THAT(found.masks, SizeIs(1));
  EXPECT_EQ(found.masks[0].rect, (Rect{10, 20, 3, 2}));
  EXPECT_THAT(found.masks[0].ids, ElementsAre(0, 6));
  EXPECT_THAT(found.masks[0].pixels, ElementsAre(6, 0, 0, 6, 6, 0));
  EXPECT_TRUE(found.masks[0].both);
  detection.id = 255 * 2;
  EXPECT_THAT(only(detection).masks.at(0).ids, ElementsAre(0, 1)) << "a pixel has a byte";
}

TEST_F(MergeAnalytics, OfARotatedBoxHaveItsAngle) {
  if (!GST_CHECK_VERSION(1, 26, 0)) GTEST_SKIP() << "GStreamer has angles from version 1.26 on";
  Detection detection = person();
  detection.rotated = {130, 200, 40, 160, -0.5F};
  const AnalyticsDetection found = only(detection);
  EXPECT_EQ(found.upright, (Rect{110, 120, 40, 160}));
  EXPECT_FLOAT_EQ(found.angle, 2 * G_PI - 0.5);
  const Rect around = roundOutwards(detection.rotated->hull(), kSize);
  EXPECT_NEAR(found.box.x, around.x, 1);
  EXPECT_NEAR(found.box.bottom(), around.bottom(), 1);
}

TEST_F(MergeAnalytics, HaveJointsWhereTheLibraryKnowsThem) {
  Detection detection = person();
  detection.keypoints = {{110, 130, 0.9F}, {120.6F, 140, 0.1F}};
  const AnalyticsDetection found = only(detection);
#if __has_include(<gst/analytics/gstanalyticskeypointmtd.h>)
  EXPECT_THAT(found.joints, ElementsAre(elf::testing::AnalyticsJoint{110, 130, 0.9F},
                                        elf::testing::AnalyticsJoint{121, 140, 0.1F}));
#else
  EXPECT_TRUE(found.joints.empty());
#endif
}

TEST_F(MergeAnalytics, OfOthersStayAndItsOwnAreThereOnce) {
  GstBuffer* buffer = frame(answered({person()}));
  elf::testing::addAnalyticsDetection(buffer, "person", {1, 2, 3, 4}, 0.75F);
  buffer = pass(buffer);
  EXPECT_THAT(analytics(buffer), SizeIs(2));
  out_ = nullptr;
  EXPECT_THAT(analytics(pass(buffer)), SizeIs(2));
}

TEST_F(MergeAnalytics, OfAMissedObjectComeWithTheElfmergeThatReportsIt) {
  FrameRecord record = answered({person()});
  Rp rp;
  rp.box = rp.expected = {300, 100, 340, 200};
  rp.id = 6;
  rp.label = "person";
  record.rps = {rp};
  GstBuffer* buffer = pass(record);
  out_ = nullptr;
  use("elfmerge metas=analytics report-missed=true");
  const auto all = analytics(pass(buffer));
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[1].box, (Rect{300, 100, 40, 100}));
  EXPECT_TRUE(all[1].tracks.at(0).lost);
}

TEST_F(MergeAnalytics, OfEarlierStagesStay) {
  GstBuffer* buffer = pass(answered({person()}));
  // The second stage may use the same label, score and identity.
  FrameRecord second = answered({person()});
  second.stage = 1;
  second.detections[0].box = {300, 100, 340, 200};
  second.before = std::make_shared<const FrameRecord>(answered({person()}));
  for (int times = 0; times < 2; ++times) {
    setRecord(buffer, std::make_shared<const FrameRecord>(second));
    out_ = nullptr;
    buffer = pass(buffer);
    const auto all = analytics(buffer);
    ASSERT_THAT(all, SizeIs(2));
    EXPECT_EQ(all[0].box, roundOutwards(kPerson));
    EXPECT_EQ(all[1].box, (Rect{300, 100, 40, 100}));
  }
}

TEST_F(MergeAnalytics, AreOfTheFramesOwnAndNotOfACopyOfIt) {
  use("elfmerge metas=analytics draw-boxes=false draw-labels=false");
  GstBuffer* in = frame(answered({person()}));
  GstBuffer* out = pass(gst_buffer_ref(in));
  EXPECT_FALSE(analyticsOn(in).has_value());
  EXPECT_TRUE(analyticsOn(out).has_value());
  gst_buffer_unref(in);
}

/** Through elements of GStreamer's own, behind an elfmerge that draws nothing. */
class MergeAnalyticsBefore : public MergeAnalytics {
 protected:
  /** False where this GStreamer does not have it. */
  bool putBefore(const std::string& factory) {
    if (!Ref<GstElementFactory>(gst_element_factory_find(factory.c_str()))) return false;
    use("elfmerge draw-boxes=false draw-labels=false draw-masks=false ! " + factory);
    return true;
  }
  /** How many bytes of the frame, which is all zeros, are drawn on. */
  long drawn(FrameRecord record) {
    GstBuffer* out = pass(std::move(record));
    std::vector<guint8> bytes(gst_buffer_get_size(out));
    gst_buffer_extract(out, 0, bytes.data(), bytes.size());
    return static_cast<long>(bytes.size()) - std::ranges::count(bytes, 0);
  }
};

TEST_F(MergeAnalyticsBefore, ObjectdetectionoverlayAreDrawnInTheFrameThatTheyAreOf) {
  if (!putBefore("objectdetectionoverlay")) GTEST_SKIP() << "this GStreamer has none";
  const long nothing = drawn(answered({}));
  EXPECT_GT(drawn(answered({person()})), nothing);
  EXPECT_EQ(drawn(answered({})), nothing) << "it repeats those of a frame before one without metas";
}

TEST_F(MergeAnalyticsBefore, IoutrackerGetAnotherTrackBesideElfsOwn) {
  if (!putBefore("ioutracker")) GTEST_SKIP() << "this GStreamer has none";
  pass(answered({person()}));
  const auto all = analytics(pass(answered({person()})));
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_THAT(all[0].tracks, SizeIs(2));
  EXPECT_EQ(all[0].tracks[0].id, 5U);
}

}  // namespace
}  // namespace elf::gst
