// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "gst/elfvision/gstelfevents.h"
#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/folder.h"
#include "tests/support/harness.h"

namespace elf::gst {
namespace {

using elf::testing::Harness;

constexpr Size kSize{640, 480};
constexpr Box kPerson{100, 120, 160, 280};

// A frame of which one part, the left half, was answered with one person.
FrameRecord answered(std::uint64_t id) {
  FrameRecord record;
  record.id = id;
  record.size = kSize;
  record.entered = std::chrono::steady_clock::now();
  record.capacity = std::make_shared<const Capacity>();
  Part part;
  part.rect = {50, 0, 300, 480};
  record.plan.emplace().parts.push_back(part);
  PartAnswer answer;
  answer.state = AnswerState::Answered;
  answer.attempts = 1;
  answer.bytesSent = 1000;
  Detection d;
  d.box = shift(kPerson, -50, 0);
  d.score = 0.75F;
  d.label = "person";
  answer.detections.push_back(d);
  record.answers.push_back(answer);
  Capacity capacity;
  capacity.servers.push_back({"http://a:1", true, {}});
  record.capacity = std::make_shared<const Capacity>(capacity);
  return record;
}

/** With a mask, joints, and an RP, too. */
FrameRecord answeredWithAll(std::uint64_t id) {
  FrameRecord record = answered(id);
  Detection& d = record.answers[0].detections[0];
  const Rect rect = roundOutwards(d.box, kSize);
  d.mask = Mask(rect, std::vector<std::uint8_t>(static_cast<std::size_t>(rect.area()), 1));
  d.keypoints = {{d.box.x0, d.box.y0, 1}};
  Rp rp;
  rp.box = rp.expected = kPerson;
  record.rps = std::vector<Rp>{rp};
  return record;
}

FrameRecord unanswered(std::uint64_t id) {
  FrameRecord record = answered(id);
  record.answers[0].state = AnswerState::Failed;
  record.answers[0].detections.clear();
  return record;
}

std::vector<GstVideoRegionOfInterestMeta*> regions(GstBuffer* buffer) {
  std::vector<GstVideoRegionOfInterestMeta*> found;
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))
    found.push_back(reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta));
  return found;
}

std::vector<guint8> bytes(GstBuffer* buffer) {
  std::vector<guint8> copy(gst_buffer_get_size(buffer));
  gst_buffer_extract(buffer, 0, copy.data(), copy.size());
  return copy;
}

/** An elfmerge with the bus that an application would read. */
class Merge : public ::testing::Test {
 protected:
  Merge() { use("elfmerge"); }
  ~Merge() override {
    harness_.reset();
    gst_object_unref(bus_);
  }

  void use(const std::string& launch, const char* format = "I420") {
    harness_ = std::make_unique<Harness>(launch);
    if (!bus_) bus_ = gst_bus_new();
    gst_element_set_bus(harness_->element(), bus_);
    harness_->setVideo(kSize.width, kSize.height, format);
  }

  GstBuffer* frame(const FrameRecord& record) {
    GstBuffer* buffer = harness_->frame(static_cast<int>(record.id));
    setRecord(buffer, std::make_shared<const FrameRecord>(record));
    return buffer;
  }

  GstBuffer* pass(GstBuffer* buffer) {
    EXPECT_EQ(harness_->push(buffer), GST_FLOW_OK);
    return harness_->pull();
  }

  FrameRecord passed(const FrameRecord& record) {
    GstBuffer* out = pass(frame(record));
    FrameRecord result = *getRecord(out);
    gst_buffer_unref(out);
    return result;
  }

  FeedbackPtr nextFeedback() {
    FeedbackPtr feedback;
    while (!feedback) {
      GstEvent* event = gst_harness_try_pull_upstream_event(harness_->get());
      if (!event) return nullptr;
      feedback = parseDetectionsEvent(event);
      gst_event_unref(event);
    }
    return feedback;
  }

  int countMessages(GstMessageType type) {
    int count = 0;
    while (GstMessage* message = gst_bus_pop_filtered(bus_, type)) {
      ++count;
      gst_message_unref(message);
    }
    return count;
  }

  std::string errorText() {
    GstMessage* message = gst_bus_pop_filtered(bus_, GST_MESSAGE_ERROR);
    if (!message) return "";
    std::string text = elf::testing::textOf(message);
    gst_message_unref(message);
    return text;
  }

  GstBus* bus_ = nullptr;
  std::unique_ptr<Harness> harness_;
};

/** With a folder for results, gone afterwards. */
class MergeResults : public Merge {
 protected:
  std::string file() const { return folder_.file("results.jsonl"); }

  std::vector<std::string> lines() const {
    std::ifstream in(file());
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

 private:
  elf::testing::Folder folder_;
};

TEST_F(Merge, WritesTheDetectionsInPixelsOfTheFrame) {
  const FrameRecord record = passed(answered(0));
  ASSERT_EQ(record.detections.size(), 1U);
  EXPECT_EQ(record.detections[0].box, kPerson);
  EXPECT_EQ(record.detections[0].server, 0);
  EXPECT_GT(record.timings.total.count(), 0);
  EXPECT_GE(record.timings.total, record.timings.merge);
}

TEST_F(Merge, AnObjectKeepsItsIdentityUntilAFlush) {
  const Identity first = passed(answered(0)).detections[0].id;
  EXPECT_EQ(passed(answered(1)).detections[0].id, first);
  gst_harness_push_event(harness_->get(), gst_event_new_flush_start());
  gst_harness_push_event(harness_->get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_->get(), gst_event_new_segment(&segment));
  EXPECT_NE(passed(answered(2)).detections[0].id, first);
}

TEST_F(Merge, WhichObjectIsWhichIsDecidedByTheRuleOfIndexing) {
  // Half of its size to the right: as good as the same to the default rule, too far for the
  // paper's.
  const auto sameAfterAStep = [&](const std::string& launch) {
    use(launch);
    const Identity first = passed(answered(0)).detections.at(0).id;
    FrameRecord moved = answered(1);
    Box& box = moved.answers[0].detections[0].box;
    box = shift(box, 30, 0);
    return passed(moved).detections.at(0).id == first;
  };
  EXPECT_TRUE(sameAfterAStep("elfmerge"));
  EXPECT_TRUE(sameAfterAStep("elfmerge indexing=assignment"));
  EXPECT_FALSE(sameAfterAStep("elfmerge indexing=released"));
  EXPECT_FALSE(sameAfterAStep("elfmerge indexing=algorithm1"));
}

TEST_F(Merge, AnObjectOfAnotherGenerationIsAnother) {
  const Identity first = passed(answered(0)).detections[0].id;
  FrameRecord later = answered(1);
  later.generation = 1;
  EXPECT_NE(passed(later).detections[0].id, first);
}

TEST_F(Merge, TellsUpstreamBeforeItPushesTheFrame) {
  struct Seen {
    GstHarness* harness;
    FeedbackPtr feedback;
  } seen{harness_->get(), nullptr};
  GstPad* src = gst_element_get_static_pad(harness_->element(), "src");
  gst_pad_add_probe(
      src, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo*, gpointer data) {
        auto* s = static_cast<Seen*>(data);
        while (GstEvent* event = gst_harness_try_pull_upstream_event(s->harness)) {
          if (FeedbackPtr f = parseDetectionsEvent(event)) s->feedback = f;
          gst_event_unref(event);
        }
        return GST_PAD_PROBE_OK;
      },
      &seen, nullptr);
  gst_object_unref(src);
  gst_buffer_unref(pass(frame(answered(5))));
  ASSERT_TRUE(seen.feedback);
  EXPECT_EQ(seen.feedback->id, 5U);
  EXPECT_TRUE(seen.feedback->looked);
  EXPECT_EQ(seen.feedback->size, kSize);
  ASSERT_EQ(seen.feedback->detections.size(), 1U);
  EXPECT_NE(seen.feedback->detections[0].id, kNoIdentity);
}

TEST_F(Merge, TellsUpstreamOfFailedSkippedAndEmptyFramesToo) {
  FrameRecord skipped = answered(1);
  skipped.skipped = true;
  FrameRecord empty = answered(2);
  empty.plan->parts.clear();
  empty.answers.clear();
  passed(unanswered(0));
  passed(skipped);
  passed(empty);
  const FeedbackPtr failedNews = nextFeedback();
  const FeedbackPtr skippedNews = nextFeedback();
  const FeedbackPtr emptyNews = nextFeedback();
  ASSERT_TRUE(failedNews && skippedNews && emptyNews);
  EXPECT_FALSE(failedNews->looked);
  EXPECT_FALSE(skippedNews->looked);
  EXPECT_TRUE(emptyNews->looked);
  EXPECT_TRUE(emptyNews->detections.empty());
}

TEST_F(Merge, AFrameWithoutARecordPassesAndNobodyIsTold) {
  GstBuffer* in = harness_->frame(0);
  GstBuffer* out = pass(in);
  EXPECT_EQ(out, in);
  EXPECT_EQ(getRecord(out), nullptr);
  EXPECT_EQ(nextFeedback(), nullptr);
  gst_buffer_unref(out);
}

TEST_F(Merge, WithoutElfoffloadBeforeItOneWarningTellsThatNothingWasInferred) {
  for (int i = 0; i < 3; ++i) gst_buffer_unref(pass(harness_->frame(i)));
  EXPECT_EQ(countMessages(GST_MESSAGE_WARNING), 1);
}

TEST_F(Merge, ARecordOfAnotherSizeIsIgnoredWithOneWarning) {
  for (std::uint64_t id = 0; id < 3; ++id) {
    FrameRecord wrong = answered(id);
    wrong.size = {320, 240};
    GstBuffer* out = pass(frame(wrong));
    EXPECT_TRUE(regions(out).empty());
    gst_buffer_unref(out);
  }
  EXPECT_EQ(nextFeedback(), nullptr);
  EXPECT_EQ(countMessages(GST_MESSAGE_WARNING), 1);
}

TEST_F(Merge, GivesEachDetectionOneRegion) {
  GstBuffer* out = pass(frame(answered(0)));
  const auto found = regions(out);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_STREQ(g_quark_to_string(found[0]->roi_type), "person");
  EXPECT_EQ(found[0]->id, getRecord(out)->detections[0].id);
  EXPECT_EQ(found[0]->x, 100U);
  EXPECT_EQ(found[0]->y, 120U);
  EXPECT_EQ(found[0]->w, 60U);
  EXPECT_EQ(found[0]->h, 160U);
  const GstStructure* parameters =
      gst_video_region_of_interest_meta_get_param(found[0], "detection");
  ASSERT_TRUE(parameters);
  gdouble confidence = 0;
  gint labelId = -1;
  gboolean coasted = TRUE;
  EXPECT_TRUE(gst_structure_get(parameters, "confidence", G_TYPE_DOUBLE, &confidence, "label_id",
                                G_TYPE_INT, &labelId, "coasted", G_TYPE_BOOLEAN, &coasted,
                                nullptr));
  EXPECT_EQ(confidence, 0.75);
  EXPECT_EQ(labelId, 0);
  EXPECT_FALSE(coasted);
  gst_buffer_unref(out);
}

TEST_F(Merge, ReplacesItsOwnRegionsAndLeavesThoseOfOthers) {
  GstBuffer* once = pass(frame(answered(0)));
  gst_buffer_add_video_region_of_interest_meta(once, "face", 1, 2, 3, 4);
  GstBuffer* twice = pass(once);
  std::multiset<std::string> labels;
  for (const auto* roi : regions(twice)) labels.insert(g_quark_to_string(roi->roi_type));
  EXPECT_EQ(labels, (std::multiset<std::string>{"face", "person"}));
  gst_buffer_unref(twice);
}

TEST_F(Merge, DrawsInItsOwnCopyOfASharedFrame) {
  for (const char* format : {"I420", "NV12", "BGR", "GRAY8", "xRGB"}) {
    use("elfmerge", format);
    GstBuffer* in = frame(answered(0));
    const auto before = bytes(in);
    GstBuffer* out = pass(gst_buffer_ref(in));
    EXPECT_EQ(bytes(in), before) << format;
    EXPECT_NE(bytes(out), before) << format;
    EXPECT_TRUE(getRecord(in)->detections.empty()) << format;
    gst_buffer_unref(in);
    gst_buffer_unref(out);
  }
}

TEST_F(Merge, EachThingThatIsDrawnHasASwitchThatWorksWhilePlaying) {
  use("elfmerge draw-boxes=false draw-labels=false draw-masks=false draw-keypoints=false");
  std::uint64_t id = 0;
  const auto drawn = [&] {
    GstBuffer* out = pass(frame(answeredWithAll(id++)));
    const auto pixels = bytes(out);
    gst_buffer_unref(out);
    return pixels;
  };
  const auto nothing = drawn();
  std::set<std::vector<guint8>> all{nothing};
  for (const char* name : {"draw-boxes", "draw-labels", "draw-masks", "draw-keypoints", "draw-rps",
                           "draw-parts", "draw-statistics"}) {
    g_object_set(harness_->element(), name, TRUE, nullptr);
    EXPECT_TRUE(all.insert(drawn()).second) << name;
    g_object_set(harness_->element(), name, FALSE, nullptr);
    EXPECT_EQ(drawn(), nothing) << name;
  }
}

TEST_F(Merge, CopiesNoPixelsWhereNothingIsDrawn) {
  use("elfmerge draw-boxes=false draw-labels=false draw-masks=false draw-keypoints=false");
  GstBuffer* in = frame(answeredWithAll(0));
  GstBuffer* out = pass(gst_buffer_ref(in));
  EXPECT_EQ(gst_buffer_peek_memory(out, 0), gst_buffer_peek_memory(in, 0));
  EXPECT_EQ(regions(out).size(), 1U);
  gst_buffer_unref(in);
  gst_buffer_unref(out);
}

TEST_F(Merge, PostsMessagesOnlyWhenAsked) {
  passed(answered(0));
  EXPECT_EQ(countMessages(GST_MESSAGE_ELEMENT), 0);
  g_object_set(harness_->element(), "post-messages", TRUE, nullptr);
  passed(answered(1));
  GstMessage* message = gst_bus_pop_filtered(bus_, GST_MESSAGE_ELEMENT);
  ASSERT_TRUE(message);
  const GstStructure* result = gst_message_get_structure(message);
  EXPECT_TRUE(gst_structure_has_name(result, "elf-result"));
  gint64 number = 0;
  EXPECT_TRUE(gst_structure_get_int64(result, "frame", &number));
  EXPECT_EQ(number, 1);
  EXPECT_TRUE(gst_structure_get_int64(result, "pts_ns", &number));
  EXPECT_EQ(number, 10000000);
  const GValue* detections = gst_structure_get_value(result, "detections");
  ASSERT_TRUE(detections && GST_VALUE_HOLDS_ARRAY(detections));
  ASSERT_EQ(gst_value_array_get_size(detections), 1U);
  const GstStructure* detection = gst_value_get_structure(gst_value_array_get_value(detections, 0));
  EXPECT_STREQ(gst_structure_get_string(detection, "label"), "person");
  EXPECT_STREQ(gst_structure_get_string(detection, "server"), "http://a:1");
  gdouble score = 0;
  EXPECT_TRUE(gst_structure_get_double(detection, "score", &score));
  EXPECT_EQ(score, 0.75);
  gst_message_unref(message);
}

TEST_F(MergeResults, AppendsOneLineForEachFrameWithARecord) {
  use("elfmerge results-location=" + file());
  passed(answered(0));
  gst_buffer_unref(pass(harness_->frame(1)));
  passed(unanswered(2));
  const auto written = lines();
  ASSERT_EQ(written.size(), 2U);
  EXPECT_NE(written[0].find(R"("box":[100.0,120.0,160.0,280.0],"coasted":false,)"
                            R"("server":"http://a:1"}])"),
            std::string::npos)
      << written[0];
  EXPECT_NE(written[0].find(R"("bytes":{"sent":1000,"whole":0}})"), std::string::npos)
      << written[0];
  EXPECT_EQ(
      written[1].find(R"({"frame":2,"generation":0,"trace":null,"pts_ns":20000000,"width":640,)"
                      R"("height":480,"horizon":0,"detections":[],)"),
      0U)
      << written[1];
}

TEST_F(MergeResults, GoesOnInTheSameFileAfterARestart) {
  use("elfmerge results-location=" + file());
  passed(answered(0));
  use("elfmerge results-location=" + file());
  passed(answered(0));
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(MergeResults, AFileThatCannotBeOpenedIsOneErrorNamingPropertyAndFile) {
  GstElement* element = gst_element_factory_make("elfmerge", nullptr);
  gst_element_set_bus(element, bus_);
  g_object_set(element, "results-location", "/no/such/folder/x.jsonl", nullptr);
  EXPECT_EQ(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  gst_element_set_state(element, GST_STATE_NULL);
  EXPECT_EQ(errorText(),
            "results-location: cannot open '/no/such/folder/x.jsonl' for writing: No such file or "
            "directory");
  EXPECT_EQ(errorText(), "");
  gst_object_unref(element);
}

TEST_F(MergeResults, AFullDiskIsOneError) {
  use("elfmerge results-location=/dev/full");
  EXPECT_EQ(harness_->push(frame(answered(0))), GST_FLOW_ERROR);
  EXPECT_EQ(errorText(), "results-location: no space left to write '/dev/full'.");
  EXPECT_EQ(errorText(), "");
}

TEST_F(MergeResults, AnEmptyLocationIsNoFile) {
  use("elfmerge results-location=\"\"");
  EXPECT_EQ(passed(answered(0)).detections.size(), 1U);
}

TEST_F(Merge, GoesUpAndDownManyTimes) {
  GstElement* element = harness_->element();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  }
}

TEST_F(Merge, ProposesVideoMetaAndWhatDownstreamOffersButNoCropping) {
  for (const GType meta :
       {GST_VIDEO_CROP_META_API_TYPE, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE})
    gst_harness_add_propose_allocation_meta(harness_->get(), meta, nullptr);
  GstPad* sink = gst_element_get_static_pad(harness_->element(), "sink");
  GstCaps* caps = gst_pad_get_current_caps(sink);
  GstQuery* query = gst_query_new_allocation(caps, TRUE);
  EXPECT_TRUE(gst_pad_query(sink, query));
  EXPECT_TRUE(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr));
  EXPECT_TRUE(
      gst_query_find_allocation_meta(query, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, nullptr));
  EXPECT_FALSE(gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, nullptr));
  gst_query_unref(query);
  gst_caps_unref(caps);
  gst_object_unref(sink);
}

}  // namespace
}  // namespace elf::gst
