// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "elf/base/error.h"
#include "gst/bench/figures.h"
#include "gst/bench/modes.h"
#include "gst/bench/options.h"
#include "gst/bench/oracle.h"
#include "gst/bench/report.h"

namespace elf::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Detection box(float x, float score = 1) {
  Detection detection;
  detection.box = {x, 0, x + 40, 100};
  detection.score = score;
  return detection;
}

FrameResult frameWith(std::size_t frame, double latencyMs, std::vector<Detection> detections) {
  FrameResult result;
  result.frame = frame;
  result.latencyMs = latencyMs;
  result.bytes = 1000;
  result.pixels = 2000;
  result.detections = std::move(detections);
  return result;
}

Options parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "elf-bench");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  return parseCommandLine(static_cast<int>(arguments.size()), argv.data()).options;
}

TEST(BenchOptions, HaveTheirDefaults) {
  const Options options = parse({"--input", "video.avi"});
  EXPECT_THAT(options.modes, ElementsAre("single", "roundrobin", "skip", "grid", "strips", "elf",
                                         "pipelined", "oracle"));
  EXPECT_FALSE(options.live);
  EXPECT_EQ(options.servers, 2);
  EXPECT_EQ(options.repeats, 3);
  EXPECT_EQ(options.frames, -1);
  EXPECT_FALSE(options.minScore);
}

TEST(BenchOptions, TakeAModeListInItsOrder) {
  EXPECT_THAT(parse({"--input", "v", "--modes", "elf,single"}).modes, ElementsAre("elf", "single"));
}

TEST(BenchOptions, OfALiveRunHaveADeadlineAndAllModes) {
  const Options plain = parse({"--input", "v", "--live", "12.5"});
  ASSERT_TRUE(plain.live);
  EXPECT_DOUBLE_EQ(plain.live->fps, 12.5);
  EXPECT_EQ(plain.live->deadlineMs, 200);
  EXPECT_EQ(plain.modes, modeNames());
  EXPECT_EQ(parse({"--input", "v", "--live", "10", "--deadline", "50"}).live->deadlineMs, 50);
}

TEST(BenchModes, AreTheSameLiveButForTheDeadline) {
  Options options;
  const Mode still = makeMode("elf", options, "hog", {"http://a", "http://b"});
  options.live = Live{.fps = 10, .deadlineMs = 150};
  const Mode live = makeMode("elf", options, "hog", {"http://a", "http://b"});
  EXPECT_THAT(still.launch, HasSubstr(" deadline=-1 "));
  EXPECT_THAT(live.launch, HasSubstr(" deadline=150 "));
  EXPECT_FALSE(live.holdsBoxes);
  const Mode naive = makeMode("naive", options, "hog", {"http://a", "http://b"});
  EXPECT_THAT(naive.launch, HasSubstr("servers=\"http://a\" "));
  EXPECT_THAT(naive.launch, StartsWith("elfoffload "));
  EXPECT_TRUE(naive.holdsBoxes);
  EXPECT_TRUE(makeMode("skip", options, "hog", {"http://a"}).holdsBoxes);
}

TEST(BenchMeasure, IsAgainstTheReferenceOfTheSameFrame) {
  const FrameDetections reference = {{box(0)}, {box(100)}, {box(200)}};
  const RepeatFigures figures =
      measure({frameWith(0, 10, {box(0)}), frameWith(2, 30, {box(100)})}, 0.5, {reference});
  EXPECT_DOUBLE_EQ(figures.agreement.f1, 0.5);
  EXPECT_DOUBLE_EQ(figures.latencyMs.mean, 20);
  EXPECT_DOUBLE_EQ(figures.fps, 4);
  EXPECT_DOUBLE_EQ(figures.bytesPerFrame, 1000);
  EXPECT_DOUBLE_EQ(figures.pixelsPerFrame, 2000);
  EXPECT_TRUE(figures.marks.empty());
}

TEST(BenchMeasure, AveragesWhatWasChosenOverTheFramesThatWereSent) {
  const FrameDetections reference = {{}, {}, {}};
  FrameResult fine = frameWith(0, 1, {}), coarse = frameWith(1, 1, {}), left = frameWith(2, 1, {});
  fine.quality = 90;
  coarse.quality = 30;
  coarse.scale = 0.5;
  fine.countedBytes = coarse.countedBytes = 1500;
  fine.wholeBytes = coarse.wholeBytes = 3000;
  left.skipped = true;
  left.bytes = 0;
  const RepeatFigures figures = measure({fine, coarse, left}, 2, {reference});
  EXPECT_DOUBLE_EQ(figures.quality, 60);
  EXPECT_DOUBLE_EQ(figures.scale, 0.75);
  EXPECT_EQ(figures.skipped, 1U);
  EXPECT_DOUBLE_EQ(figures.wholeBytesPerFrame, 2000);
  EXPECT_DOUBLE_EQ(figures.kilobitsPerSecond, 12);
}

TEST(BenchMeasure, MarksMoreThanAQuarterMoreBoxesThanTheReference) {
  const FrameDetections reference = {{box(0), box(100), box(200), box(300)}};
  const std::vector<Detection> five = {box(0), box(100), box(200), box(300), box(400)};
  std::vector<Detection> six = five;
  six.push_back(box(500));
  EXPECT_TRUE(measure({frameWith(0, 1, five)}, 1, {reference}).marks.empty());
  EXPECT_THAT(measure({frameWith(0, 1, six)}, 1, {reference}).marks,
              ElementsAre(kTooManyBoxesMark));
}

TEST(BenchMeasure, MarksWhatIsNoFairMeasurement) {
  const FrameDetections reference = {{}, {}};
  FrameResult bad = frameWith(1, 1, {});
  bad.coasted = bad.failed = bad.retried = bad.skipped = true;
  EXPECT_THAT(measure({frameWith(0, 1, {}), bad}, 1, {reference}).marks,
              ElementsAre(kCoastedMark, kFailedMark, kRetriedMark, kSkippedMark));
}

TEST(BenchCompare, HoldsOnlyIfNearlyEveryFrameIsFasterThanTheMedianOfSingle) {
  RepeatFigures single, steady, jumpy;
  single.latencyMs = {100, 100, 120};
  steady.latencyMs = {30, 25, 100};
  jumpy.latencyMs = {30, 25, 101};
  compare(steady, single, false);
  compare(jumpy, single, false);
  EXPECT_DOUBLE_EQ(*steady.speedup, 4);
  EXPECT_TRUE(steady.holds);
  EXPECT_DOUBLE_EQ(*jumpy.speedup, 4);
  EXPECT_FALSE(jumpy.holds);
}

TEST(BenchCompare, CanCompareMeans) {
  RepeatFigures single, skip;
  single.latencyMs = {90, 100, 120};
  skip.latencyMs = {30, 0, 120};
  compare(skip, single, true);
  EXPECT_DOUBLE_EQ(*skip.speedup, 3);
}

TEST(BenchWorst, IsTakenForEachKindOfFigure) {
  ModeFigures mode;
  mode.name = "elf";
  RepeatFigures fast, slow;
  fast.speedup = 5;
  fast.latencyMs.p50 = 20;
  fast.holds = true;
  fast.confident.f1 = 0.8;
  fast.agreement.f1 = 0.9;
  fast.bytesPerFrame = 10;
  fast.marks = {kRetriedMark};
  slow.speedup = 4;
  slow.latencyMs.p50 = 19;
  slow.holds = false;
  slow.confident.f1 = 0.95;
  slow.agreement.f1 = 0.7;
  slow.bytesPerFrame = 8;
  mode.repeats = {fast, slow};
  takeWorst(mode);
  EXPECT_DOUBLE_EQ(*mode.worst.speedup, 4);
  EXPECT_DOUBLE_EQ(mode.worst.latencyMs.p50, 19);
  EXPECT_FALSE(mode.worst.holds);
  EXPECT_DOUBLE_EQ(mode.worst.confident.f1, 0.8);
  EXPECT_DOUBLE_EQ(mode.worst.agreement.f1, 0.7);
  EXPECT_DOUBLE_EQ(mode.worst.bytesPerFrame, 10);
  EXPECT_THAT(mode.worst.marks, ElementsAre(kRetriedMark));
}

TEST(BenchTruth, IsScaledAndKeepsIgnoredBoxesApart) {
  ModelRules rules;
  rules.labels = {"car", "person"};
  const Truth truth =
      makeTruth({{0, 1, {10, 20, 30, 40}, 1}, {1, 1, {0, 0, 10, 10}, 0}, {2, 1, {0, 0, 10, 10}, 1}},
                2, {200, 100}, {100, 100}, rules);
  ASSERT_EQ(truth.frames.size(), 2U);
  EXPECT_THAT(truth.frames[0].boxes, ElementsAre(Box{20, 20, 60, 40}));
  EXPECT_TRUE(truth.frames[1].boxes.empty());
  EXPECT_EQ(truth.frames[1].ignored.size(), 1U);
  EXPECT_THAT(truth.labels, ElementsAre(1));
}

TEST(BenchOracle, PadsByTenPercentButAtLeastSixteenPixels) {
  EXPECT_EQ(paddedRegion({100, 100, 150, 400}, {768, 576}), (Rect{84, 70, 82, 360}));
  EXPECT_EQ(paddedRegion({0, 0, 20, 20}, {768, 576}), (Rect{0, 0, 36, 36}));
}

TEST(BenchReport, TellsTheSharedFiguresAndEscapesStrings) {
  Options options;
  options.input = "<b>&.avi";
  options.modes = {"single", "elf", "oracle"};
  Report report;
  report.frames = 1;
  report.frameSize = {64, 48};
  for (const std::string& name : options.modes) {
    ModeFigures mode;
    mode.name = name;
    RepeatFigures repeat;
    repeat.latencies = {1};
    repeat.speedup = name == "elf" ? 3 : name == "oracle" ? 4 : 1;
    mode.repeats = {repeat};
    takeWorst(mode);
    report.modes.push_back(mode);
  }
  const auto json = nlohmann::json::parse(reportJson(report, options));
  EXPECT_DOUBLE_EQ(json["modes"]["elf"]["share_of_oracle"], 0.75);
  EXPECT_TRUE(json["modes"]["elf"]["truth"].is_null());
  EXPECT_EQ(json["settings"]["input"], "<b>&.avi");
  const std::string html = reportHtml(report, options);
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;&amp;.avi"));
  EXPECT_THAT(html, Not(HasSubstr("<b>&")));
  EXPECT_THAT(reportText(report, options), HasSubstr("75 % of the speed-up"));
}

}  // namespace
}  // namespace elf::bench
