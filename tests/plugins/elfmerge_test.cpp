// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "elf/merge/merge.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfresult.h"
#include "tests/support/bus.h"
#include "tests/support/fake_end.h"
#include "tests/support/folder.h"
#include "tests/support/harness.h"
#include "tests/support/own_stream.h"
#include "tests/support/size_limit.h"

namespace elf::gst {
namespace {

using elf::testing::FakeEnd;
using elf::testing::Harness;
using elf::testing::OwnStream;

constexpr Size kSize{640, 480};
constexpr Box kPerson{100, 120, 160, 280};

/** As the loop is done with it. */
FrameRecord merged(FrameRecord record) {
  mergeAnswers(record);
  for (Detection& detection : record.detections)
    if (!detection.coasted) detection.id = 5;
  record.answered = true;
  record.inferred = record.answers[0].state == AnswerState::Answered;
  return record;
}

// A frame of which one part was asked for, in the left half.
FrameRecord asked(std::uint64_t id) {
  FrameRecord record;
  record.id = id;
  record.size = kSize;
  record.entered = std::chrono::steady_clock::now();
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
  d.server = 0;
  answer.detections.push_back(d);
  record.answers.push_back(answer);
  Capacity capacity;
  capacity.servers.push_back({"http://a:1", true, {}});
  record.capacity = std::make_shared<const Capacity>(capacity);
  return record;
}

/** With one person. */
FrameRecord answered(std::uint64_t id) {
  return merged(asked(id));
}

/** With a mask, joints, and an RP, too. */
FrameRecord answeredWithAll(std::uint64_t id) {
  FrameRecord record = asked(id);
  Detection& d = record.answers[0].detections[0];
  const Rect rect = roundOutwards(d.box, kSize);
  d.mask = Mask(rect, std::vector<std::uint8_t>(static_cast<std::size_t>(rect.area()), 1));
  d.keypoints = {{d.box.x0, d.box.y0, 1}};
  Rp rp;
  rp.box = rp.expected = kPerson;
  record.rps = std::vector<Rp>{rp};
  return merged(record);
}

FrameRecord unanswered(std::uint64_t id) {
  FrameRecord record = asked(id);
  record.answers[0].state = AnswerState::Failed;
  record.answers[0].detections.clear();
  return merged(record);
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

  int countMessages(GstMessageType type) {
    int count = 0;
    while (GstMessage* message = gst_bus_pop_filtered(bus_, type)) {
      ++count;
      gst_message_unref(message);
    }
    return count;
  }

  std::string errorText() { return nextText(GST_MESSAGE_ERROR); }
  std::string warningText() { return nextText(GST_MESSAGE_WARNING); }
  std::string infoText() { return nextText(GST_MESSAGE_INFO); }

  GstBus* bus_ = nullptr;
  std::unique_ptr<Harness> harness_;

 private:
  /** Empty if there is none yet. */
  std::string nextText(GstMessageType type) {
    GstMessage* message = gst_bus_pop_filtered(bus_, type);
    if (!message) return "";
    std::string text = elf::testing::textOf(message);
    gst_message_unref(message);
    return text;
  }
};

/** With a folder for results, gone afterwards. */
class MergeResults : public Merge {
 protected:
  std::string file() const { return folder_.file("results.jsonl"); }

  std::vector<std::string> lines(const std::string& name = "results.jsonl") const {
    std::ifstream in(folder_.file(name));
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

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

TEST_F(Merge, ChangesNothingThatTheLoopSays) {
  const FrameRecord before = answered(3);
  const FrameRecord after = passed(before);
  EXPECT_EQ(after.id, 3U);
  EXPECT_EQ(after.detections, before.detections);
  EXPECT_TRUE(after.answered);
  EXPECT_TRUE(after.inferred);
}

TEST_F(Merge, AFrameWithoutARecordPasses) {
  GstBuffer* in = harness_->frame(0);
  GstBuffer* out = pass(in);
  EXPECT_EQ(out, in);
  EXPECT_EQ(getRecord(out), nullptr);
  gst_buffer_unref(out);
}

TEST_F(Merge, AFrameThatNoElfoffloadHasSentPassesWithOneWarning) {
  OwnStream upstream(*harness_, kSize);
  for (int i = 0; i < 3; ++i) {
    GstBuffer* out = pass(upstream.carry(i, upstream.enter()));
    EXPECT_TRUE(regions(out).empty());
    gst_buffer_unref(out);
  }
  EXPECT_EQ(countMessages(GST_MESSAGE_WARNING), 1);
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

TEST_F(Merge, TheRegionOfARotatedBoxTellsItsAngleAndItsNumbers) {
  FrameRecord record = asked(0);
  record.answers[0].detections[0].rotated = {80, 200, 48, 156, 0.12F};
  GstBuffer* out = pass(frame(merged(record)));
  ASSERT_EQ(regions(out).size(), 1U);
  const GstStructure* parameters =
      gst_video_region_of_interest_meta_get_param(regions(out)[0], "detection");
  gdouble angle = 0;
  EXPECT_TRUE(gst_structure_get_double(parameters, "angle", &angle));
  EXPECT_EQ(angle, 0.12);
  const GValue* rotated = gst_structure_get_value(parameters, "rotated");
  ASSERT_TRUE(rotated && GST_VALUE_HOLDS_ARRAY(rotated));
  std::vector<double> numbers;
  for (guint i = 0; i < gst_value_array_get_size(rotated); ++i)
    numbers.push_back(g_value_get_double(gst_value_array_get_value(rotated, i)));
  EXPECT_EQ(numbers, (std::vector<double>{130, 200, 48, 156, 0.12}));
  gst_buffer_unref(out);

  out = pass(frame(answered(1)));
  EXPECT_FALSE(gst_structure_has_field(
      gst_video_region_of_interest_meta_get_param(regions(out)[0], "detection"), "angle"));
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
    EXPECT_EQ(getRecord(in)->timings.total.count(), 0) << format;
    EXPECT_GT(getRecord(out)->timings.total.count(), 0) << format;
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

TEST_F(MergeResults, AppendsOneLineForEachFrameWithARecord) {
  use("elfmerge results-location=" + file());
  passed(answered(0));
  gst_buffer_unref(pass(harness_->frame(1)));
  passed(unanswered(2));
  const auto written = lines();
  ASSERT_EQ(written.size(), 2U);
  EXPECT_NE(written[0].find(R"("box":[100.0,120.0,160.0,280.0],"coasted":false,"kept":false,)"
                            R"("server":"http://a:1","stage":0}])"),
            std::string::npos)
      << written[0];
  EXPECT_NE(written[0].find(R"("bytes":{"sent":1000,"whole":0}})"), std::string::npos)
      << written[0];
  EXPECT_NE(written[0].find(R"("inferred":true)"), std::string::npos) << written[0];
  EXPECT_EQ(written[1].find(
                R"({"frame":2,"generation":0,"stage":0,"trace":null,"pts_ns":20000000,"width":640,)"
                R"("height":480,"horizon":0,"horizon_ms":null,"inferred":false,"detections":[],)"),
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

TEST_F(MergeResults, AFileThatWasMovedIsOpenedAnew) {
  use("elfmerge results-location=" + file());
  g_signal_emit_by_name(harness_->element(), "reopen-results");
  passed(answered(0));
  ASSERT_EQ(std::rename(file().c_str(), folder_.file("old").c_str()), 0);
  passed(answered(1));
  g_signal_emit_by_name(harness_->element(), "reopen-results");
  passed(answered(2));
  EXPECT_EQ(lines("old").size(), 2U);
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(lines()[0].find(R"({"frame":2,)"), 0U);
  EXPECT_EQ(countMessages(GST_MESSAGE_WARNING), 0);
}

TEST_F(MergeResults, TheOldFileIsWrittenOnIfThereCanBeNoNewOne) {
  use("elfmerge results-location=" + file());
  ASSERT_EQ(std::rename(file().c_str(), folder_.file("old").c_str()), 0);
  ASSERT_EQ(mkdir(file().c_str(), 0700), 0);
  g_signal_emit_by_name(harness_->element(), "reopen-results");
  passed(answered(0));
  EXPECT_EQ(lines("old").size(), 1U);
  EXPECT_EQ(countMessages(GST_MESSAGE_WARNING), 1);
}

TEST_F(MergeResults, AFileThatCannotBeOpenedIsOneErrorNamingPropertyAndFile) {
  GstElement* element = gst_element_factory_make("elfmerge", nullptr);
  gst_element_set_bus(element, bus_);
  g_object_set(element, "results-location", "/no/such/folder/x.jsonl", nullptr);
  EXPECT_EQ(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  gst_element_set_state(element, GST_STATE_NULL);
  EXPECT_EQ(errorText(),
            "results-location: /no/such/folder/x.jsonl: can't be written: No such file or "
            "directory");
  EXPECT_EQ(errorText(), "");
  gst_object_unref(element);
}

TEST_F(MergeResults, AFullDiskIsOneWarningAndFramesGoOn) {
  use("elfmerge results-location=/dev/full");
  passed(answered(0));
  passed(answered(1));
  EXPECT_EQ(warningText(),
            "results-location: /dev/full: can't be written: No space left on device (lines are "
            "left out until it can)");
  EXPECT_EQ(warningText(), "");
  EXPECT_EQ(errorText(), "");
}

TEST_F(MergeResults, GoesOnOnANewLineOnceTheDiskHasRoom) {
  use("elfmerge results-location=" + file());
  passed(answered(0));
  {
    const testing::SizeLimit full(lines().at(0).size() + 5);
    passed(answered(1));
    passed(answered(2));
    EXPECT_NE(warningText(), "");
    EXPECT_EQ(warningText(), "") << "it is said once";
  }
  passed(answered(3));
  const auto written = lines();
  ASSERT_EQ(written.size(), 3U);
  EXPECT_EQ(written[1], "{\"fr");
  EXPECT_EQ(written[2].find("{\"frame\":3,"), 0U) << written[2];
  EXPECT_EQ(infoText(), "results-location: " + file() + ": is written again (lines left out: 2)");
}

TEST_F(MergeResults, BeginsANewLineAfterOneThatWasCutOff) {
  for (const std::string& torn : {std::string("{\"frame\":7,\"gen"), std::string(3, '\0')}) {
    std::ofstream(file()) << torn;
    use("elfmerge results-location=" + file());
    passed(answered(0));
    const auto written = lines();
    ASSERT_EQ(written.size(), 2U);
    EXPECT_EQ(written[0], torn);
    EXPECT_EQ(written[1].find("{\"frame\":0,"), 0U) << written[1];
  }
}

TEST_F(MergeResults, AnEmptyLocationIsNoFile) {
  use("elfmerge results-location=\"\"");
  EXPECT_EQ(passed(answered(0)).detections.size(), 1U);
  g_signal_emit_by_name(harness_->element(), "reopen-results");
  EXPECT_EQ(countMessages(GST_MESSAGE_WARNING), 0);
}

/** What an elfmerge asks of the loop before it. */
class MergeInTheLoop : public Merge {
 protected:
  /** The loop that is offered to the harness's element. */
  void useIn(const std::string& launch) {
    use(launch);
    upstream_ = std::make_unique<OwnStream>(*harness_, kSize);
    begin(*upstream_);
  }
  void begin(const OwnStream& upstream) {
    upstream.stream->begin(RpPredictor::create("last"), {});
    end_.attach(upstream.stream, {.bounded = true, .maxInFlight = 64});
  }

  FrameRecordPtr looked(const OwnStream& upstream, Box box) {
    FrameRecord record = upstream.enter();
    upstream.stream->predict(record);
    return end_.pass(std::move(record), {{.box = box, .score = 1, .label = "person"}});
  }
  /** Two parts that overlap. One finds `first`, the other `second`, both in pixels of the frame. */
  FrameRecordPtr seenTwice(const Detection& first, Detection second) {
    FrameRecord record = upstream_->enter();
    record.plan.emplace().parts = {{.rect = {0, 0, 400, 480}}, {.rect = {50, 0, 590, 480}}};
    elf::testing::GreyPixels pixels(kSize);
    FrameRecordPtr done;
    upstream_->stream->submit(std::move(record), pixels, std::nullopt,
                              [&](FrameRecordPtr result) { done = std::move(result); });
    const auto requests = end_.open();
    second.box = shift(second.box, -50, 0);
    end_.answer(requests.at(0), {first});
    end_.answer(requests.at(1), {second});
    return done;
  }
  /** Each part sees the person a little differently. */
  FrameRecordPtr seenTwice() {
    return seenTwice({.box = kPerson, .score = 1, .label = "person"},
                     {.box = kOther, .score = 0.5F, .label = "person"});
  }
  bool united() { return seenTwice()->detections.at(0).box == kBoth; }

  static constexpr Box kOther{104, 124, 164, 284}, kBoth{100, 120, 164, 284};

  FakeEnd end_;
  std::unique_ptr<OwnStream> upstream_;
};

TEST_F(MergeInTheLoop, TwoClassesOfOneObjectAreMergedWhereThatIsAskedFor) {
  const auto found = [&] {
    return seenTwice({.box = kPerson, .score = 1, .labelId = 2, .label = "car"},
                     {.box = kOther, .score = 0.5F, .labelId = 7, .label = "truck"})
        ->detections.size();
  };
  useIn("elfmerge");
  EXPECT_EQ(found(), 2U);
  g_object_set(harness_->element(), "across-classes", TRUE, nullptr);
  EXPECT_EQ(found(), 1U);
}

TEST_F(MergeInTheLoop, WhichObjectIsWhichIsDecidedByTheRuleOfIndexing) {
  // Half of its size to the right: as good as the same to the default rule, too far for the
  // paper's.
  const auto sameAfterAStep = [&](const std::string& launch) {
    useIn(launch);
    const Identity first = looked(*upstream_, kPerson)->detections.at(0).id;
    return looked(*upstream_, shift(kPerson, 30, 0))->detections.at(0).id == first;
  };
  EXPECT_TRUE(sameAfterAStep("elfmerge"));
  EXPECT_TRUE(sameAfterAStep("elfmerge indexing=assignment"));
  EXPECT_FALSE(sameAfterAStep("elfmerge indexing=elf-release"));
  EXPECT_FALSE(sameAfterAStep("elfmerge indexing=elf-paper"));
}

TEST_F(MergeInTheLoop, TheMergeModeHoldsFromTheFirstFrameOnAndChangesWhilePlaying) {
  useIn("elfmerge merge-mode=nmm");
  EXPECT_TRUE(united());
  gst_util_set_object_arg(G_OBJECT(harness_->element()), "merge-mode", "nms");
  EXPECT_FALSE(united());
  gst_util_set_object_arg(G_OBJECT(harness_->element()), "merge-mode", "nmm");
  EXPECT_TRUE(united());
}

TEST_F(MergeInTheLoop, WhereItCannotBeAskedItTellsWithTheFirstFrame) {
  useIn("elfmerge");
  Harness behindAnAppsink("elfmerge merge-mode=nmm");
  behindAnAppsink.setVideo(kSize.width, kSize.height);
  harness_.reset();
  const FrameRecordPtr first = seenTwice();
  EXPECT_EQ(first->detections.at(0).box, kPerson);
  GstBuffer* buffer = behindAnAppsink.frame(0);
  setRecord(buffer, first);
  EXPECT_EQ(behindAnAppsink.push(buffer), GST_FLOW_OK);
  gst_buffer_unref(behindAnAppsink.pull());
  EXPECT_TRUE(united());
}

TEST_F(MergeInTheLoop, AnotherOneThatDiffersWarnsOnceAndOneThatDoesNotIsSilent) {
  useIn("elfmerge merge-mode=nmm");
  Harness same("elfmerge merge-mode=nmm"), differs("elfmerge");
  elf::testing::BusOf sameBus(same.element()), bus(differs.element());
  for (Harness* each : {&same, &differs}) {
    each->setVideo(kSize.width, kSize.height);
    offerStream(each->get()->srcpad, upstream_->stream);
  }
  for (int i = 0; i < 3; ++i) {
    const FrameRecordPtr record = seenTwice();
    EXPECT_EQ(record->detections.at(0).box, kBoth) << "the first one decides";
    for (Harness* each : {&same, &differs}) {
      GstBuffer* buffer = each->frame(i);
      setRecord(buffer, record);
      EXPECT_EQ(each->push(buffer), GST_FLOW_OK);
      gst_buffer_unref(each->pull());
    }
  }
  EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 1);
  EXPECT_EQ(sameBus.count(GST_MESSAGE_WARNING), 0);
  EXPECT_EQ(countMessages(GST_MESSAGE_WARNING), 0);
}

TEST_F(MergeInTheLoop, WhereTheFirstOneHasGoneAnotherOneDecides) {
  useIn("elfmerge merge-mode=nmm");
  EXPECT_TRUE(united());
  gst_element_set_state(harness_->element(), GST_STATE_NULL);
  Harness next("elfmerge merge-mode=nms");
  elf::testing::BusOf bus(next.element());
  offerStream(next.get()->srcpad, upstream_->stream);
  EXPECT_FALSE(united());
  EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 0);
}

TEST_F(MergeInTheLoop, OneThatHasStoppedRefusesWhatIsOffered) {
  useIn("elfmerge merge-mode=nmm post-messages=true");
  gst_element_set_state(harness_->element(), GST_STATE_NULL);
  offerStream(harness_->get()->srcpad, upstream_->stream);
  Harness next("elfmerge merge-mode=nms");
  elf::testing::BusOf bus(next.element());
  offerStream(next.get()->srcpad, upstream_->stream);
  EXPECT_FALSE(united());
  EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 0);
  EXPECT_EQ(countMessages(GST_MESSAGE_ELEMENT), 0);
}

TEST_F(MergeInTheLoop, WhatIsReportedOfMissedObjectsIsForViewersAndNotLearned) {
  useIn("elfmerge report-missed=true");
  looked(*upstream_, kPerson);
  FrameRecord record = upstream_->enter();
  upstream_->stream->predict(record);
  const FrameRecordPtr missed = end_.pass(std::move(record), {});
  EXPECT_TRUE(missed->detections.empty());
  const FrameRecord shown = passed(*missed);
  ASSERT_EQ(shown.detections.size(), 1U);
  EXPECT_TRUE(shown.detections[0].coasted);
}

/** The messages of an elfmerge that posts them. */
class MergeMessages : public MergeInTheLoop {
 protected:
  MergeMessages() { useIn("elfmerge post-messages=true"); }

  FrameRecordPtr looked() { return MergeInTheLoop::looked(*upstream_, kPerson); }
  int count() { return countMessages(GST_MESSAGE_ELEMENT); }
};

TEST_F(MergeMessages, TellWhatWasFoundAsSoonAsItIsKnown) {
  FrameRecord record = upstream_->enter();
  record.pts = std::chrono::milliseconds(10);
  end_.pass(std::move(record), {{.box = kPerson, .score = 0.75F, .label = "person"}});
  GstMessage* message = gst_bus_pop_filtered(bus_, GST_MESSAGE_ELEMENT);
  ASSERT_TRUE(message) << "no frame has come to elfmerge yet";
  const GstStructure* result = gst_message_get_structure(message);
  EXPECT_TRUE(gst_structure_has_name(result, "elf-result"));
  gint64 number = -1;
  EXPECT_TRUE(gst_structure_get_int64(result, "frame", &number));
  EXPECT_EQ(number, 0);
  EXPECT_TRUE(gst_structure_get_int64(result, "pts_ns", &number));
  EXPECT_EQ(number, 10000000);
  gboolean inferred = FALSE;
  EXPECT_TRUE(gst_structure_get_boolean(result, "inferred", &inferred));
  EXPECT_TRUE(inferred);
  const GValue* detections = gst_structure_get_value(result, "detections");
  ASSERT_TRUE(detections && GST_VALUE_HOLDS_ARRAY(detections));
  ASSERT_EQ(gst_value_array_get_size(detections), 1U);
  const GstStructure* detection = gst_value_get_structure(gst_value_array_get_value(detections, 0));
  EXPECT_STREQ(gst_structure_get_string(detection, "label"), "person");
  EXPECT_STREQ(gst_structure_get_string(detection, "server"), "http://10.0.0.1:1");
  gdouble score = 0;
  EXPECT_TRUE(gst_structure_get_double(detection, "score", &score));
  EXPECT_EQ(score, 0.75);
  gst_message_unref(message);
}

TEST_F(MergeMessages, AreOneForEachFrameWhileTheyAreAskedFor) {
  const FrameRecordPtr first = looked();
  EXPECT_EQ(count(), 1);
  passed(*first);
  EXPECT_EQ(count(), 0) << "when the frame itself comes";
  g_object_set(harness_->element(), "post-messages", FALSE, nullptr);
  looked();
  EXPECT_EQ(count(), 0);
  g_object_set(harness_->element(), "post-messages", TRUE, nullptr);
  looked();
  EXPECT_EQ(count(), 1);
  gst_element_set_state(harness_->element(), GST_STATE_NULL);
  looked();
  EXPECT_EQ(count(), 0);
}

TEST_F(MergeMessages, AreOfEachStreamWhoseFramesCome) {
  OwnStream other(*harness_, kSize);
  begin(other);
  for (int i = 0; i < 3; ++i) {
    const FrameRecordPtr one = looked();
    const FrameRecordPtr two = MergeInTheLoop::looked(other, kPerson);
    EXPECT_EQ(count(), 2) << "as soon as they are answered";
    passed(*one);
    const FrameRecordPtr three = looked();
    passed(*two);
    passed(*three);
    EXPECT_EQ(count(), 1);
  }
}

TEST_F(MergeMessages, AreNotOfAStreamWhoseFramesComeNoMore) {
  const FrameRecordPtr before = looked();
  OwnStream other(*harness_, kSize);
  begin(other);
  for (int i = 0; i < 200; ++i) passed(*MergeInTheLoop::looked(other, kPerson));
  EXPECT_EQ(count(), 201);
  const FrameRecordPtr between = looked();
  EXPECT_EQ(count(), 0);
  passed(*before);
  EXPECT_EQ(count(), 0) << "that one was told of long ago";
  passed(*between);
  EXPECT_EQ(count(), 1) << "they come again";
  looked();
  EXPECT_EQ(count(), 1);
}

TEST_F(MergeMessages, AreOneForAFrameThatComesTwice) {
  const FrameRecordPtr frame = looked();
  for (int i = 0; i < 2; ++i) passed(*frame);
  EXPECT_EQ(count(), 1);
}

TEST_F(MergeMessages, OfAFrameThatWasAnsweredBeforeAnybodyAskedComeWithTheFrame) {
  Harness bridge("elfmerge post-messages=true");
  bridge.setVideo(kSize.width, kSize.height);
  elf::testing::BusOf behind(bridge.element());
  const FrameRecordPtr first = looked(), second = looked();
  EXPECT_EQ(behind.count(GST_MESSAGE_ELEMENT), 0);
  for (const FrameRecordPtr& each : {first, second}) {
    GstBuffer* buffer = bridge.frame(static_cast<int>(each->id));
    setRecord(buffer, each);
    EXPECT_EQ(bridge.push(buffer), GST_FLOW_OK);
    gst_buffer_unref(bridge.pull());
  }
  EXPECT_EQ(behind.count(GST_MESSAGE_ELEMENT), 2);
  looked();
  EXPECT_EQ(behind.count(GST_MESSAGE_ELEMENT), 1) << "from then on when they are answered";
}

TEST_F(MergeMessages, TellOfMissedObjectsWhereThatIsAskedFor) {
  g_object_set(harness_->element(), "report-missed", TRUE, nullptr);
  looked();
  count();
  FrameRecord record = upstream_->enter();
  upstream_->stream->predict(record);
  end_.pass(std::move(record), {});
  GstMessage* message = gst_bus_pop_filtered(bus_, GST_MESSAGE_ELEMENT);
  ASSERT_TRUE(message);
  const GValue* detections =
      gst_structure_get_value(gst_message_get_structure(message), "detections");
  ASSERT_EQ(gst_value_array_get_size(detections), 1U);
  gboolean coasted = FALSE;
  gst_structure_get_boolean(gst_value_get_structure(gst_value_array_get_value(detections, 0)),
                            "coasted", &coasted);
  EXPECT_TRUE(coasted);
  gst_message_unref(message);
}

/** What a second stage, which found nothing, made of a frame. */
FrameRecord secondStage(FrameRecord first) {
  FrameRecord second = answered(first.id);
  second.stage = first.stage + 1;
  second.detections.clear();
  second.before = std::make_shared<const FrameRecord>(std::move(first));
  return second;
}

TEST_F(Merge, RegionsOfEarlierStagesStayAndItsOwnAreReplaced) {
  GstBuffer* buffer = pass(frame(answered(0)));
  FrameRecord second = answered(0);
  second.stage = 1;
  second.before = std::make_shared<const FrameRecord>(answered(0));
  for (int times = 0; times < 2; ++times) {
    setRecord(buffer, std::make_shared<const FrameRecord>(second));
    buffer = pass(buffer);
    const auto found = regions(buffer);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(stageOf(found[0]), 0);
    EXPECT_EQ(stageOf(found[1]), 1);
  }
  gst_buffer_unref(buffer);
}

TEST_F(Merge, DrawsWhatEarlierStagesFoundUnlessTheyDrewIt) {
  const auto changes = [&](bool drawn) {
    FrameRecord first = answered(0);
    first.drawn = drawn;
    GstBuffer* buffer = frame(secondStage(std::move(first)));
    const std::vector<guint8> before = bytes(buffer);
    buffer = pass(buffer);
    const bool changed = bytes(buffer) != before;
    gst_buffer_unref(buffer);
    return changed;
  };
  EXPECT_TRUE(changes(false));
  EXPECT_FALSE(changes(true));
  EXPECT_TRUE(passed(answered(0)).drawn);
  use("elfmerge draw-boxes=false draw-labels=false draw-masks=false draw-keypoints=false");
  EXPECT_FALSE(passed(answered(0)).drawn);
}

TEST_F(Merge, WhatEarlierStagesFoundIsDrawnOnce) {
  GstBuffer* buffer = frame(secondStage(answeredWithAll(0)));
  const std::vector<guint8> before = bytes(buffer);
  buffer = pass(buffer);
  const std::vector<guint8> once = bytes(buffer);
  EXPECT_NE(once, before);
  g_object_set(harness_->element(), "draw-parts", TRUE, "draw-boxes", FALSE, "draw-labels", FALSE,
               "draw-masks", FALSE, "draw-keypoints", FALSE, nullptr);
  buffer = pass(buffer);
  g_object_set(harness_->element(), "draw-parts", FALSE, "draw-masks", TRUE, nullptr);
  const std::vector<guint8> parts = bytes(buffer);
  buffer = pass(buffer);
  EXPECT_EQ(bytes(buffer), parts);
  gst_buffer_unref(buffer);
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
