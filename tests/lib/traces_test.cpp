// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/traces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "elf/base/error.h"
#include "elf/record/frame_fields.h"
#include "tests/support/folder.h"
#include "tests/support/traces.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kKittiTail = " 1.5 1.6 3.7 -2.5 1.6 9.1 -1.5";

class Traces : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_.file(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  std::vector<Trace> read(const TraceOptions& options = {}) {
    return readTraces(folder_.path(), options);
  }

  /** What the error says; fails where there is none. */
  std::string failure(const std::string& path, const TraceOptions& options = {}) {
    try {
      readTraces(path, options);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }

  elf::testing::Folder folder_;
};

// --- The released Elf ---

TEST_F(Traces, ReleasedFoldersAreVideosAndTheirFilesFrames) {
  write("b/0.txt", "1.0 2.0 30.5 40.0 1000 640 480\n100 100 10 10 2001 640 480\n");
  write("b/10.txt", "5 6 7 8 1000 640 480");
  write("b/2.txt", "");
  write("a/0.txt", "0 0 9 9 10000 320 240\r\n\n0 0 9 9 10000 320 240\n");
  write("whitelist.txt", "a\nb\n");
  const auto traces = read();
  ASSERT_THAT(traces, SizeIs(2));
  EXPECT_EQ(traces[0].name, "a");
  EXPECT_EQ(traces[1].name, "b");
  const auto& frames = traces[1].frames;
  ASSERT_THAT(frames, SizeIs(3));
  EXPECT_THAT(frames[0].objects,
              ElementsAre(TraceObject{1000, 1, "car", {1, 2, 31.5F, 42}, 1, false},
                          TraceObject{2001, 2, "person", {100, 100, 110, 110}, 1, false}));
  EXPECT_EQ(frames[1].number, 2);
  EXPECT_EQ(frames[1].size, (Size{640, 480})) << "an empty frame is as large as the others";
  EXPECT_TRUE(frames[1].objects.empty());
  EXPECT_EQ(frames[2].number, 10) << "frames are sorted by number, and gaps stay";
  ASSERT_THAT(traces[0].frames[0].objects, SizeIs(2));
  EXPECT_TRUE(traces[0].frames[0].objects[0].ignored);
  EXPECT_EQ(traces[0].frames[0].objects[0].id, 10000);
}

TEST_F(Traces, OneReleasedVideoCanBeReadAlone) {
  write("0016/0.txt", "1 2 3 4 1000 640 480\n");
  for (const char* path : {"0016", "0016/"}) {
    const auto traces = readTraces(folder_.file(path));
    ASSERT_THAT(traces, SizeIs(1)) << path;
    EXPECT_EQ(traces[0].name, "0016") << path;
  }
}

TEST_F(Traces, AReleasedVideoWithoutAnyLineNeedsTheFrameSize) {
  write("v/0.txt", "");
  write("v/1.txt", "\n");
  EXPECT_THAT(failure(folder_.path()), HasSubstr("frame-size: must be given"));
  const auto traces = read({.format = {}, .frameSize = {640, 480}});
  ASSERT_THAT(traces[0].frames, SizeIs(2));
  EXPECT_EQ(traces[0].frames[1].size, (Size{640, 480}));
}

struct Broken {
  const char* line;
  const char* message;
};

class ReleasedBrokenLine : public Traces, public ::testing::WithParamInterface<Broken> {};

TEST_P(ReleasedBrokenLine, IsReportedWithFileAndLine) {
  write("v/0.txt", "1 2 3 4 1000 640 480\n");
  const std::string file =
      write("v/1.txt", std::string("1 2 3 4 1001 640 480\n\n") + GetParam().line + "\n");
  EXPECT_EQ(failure(folder_.path()), file + ":3: " + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, ReleasedBrokenLine,
    ::testing::Values(
        Broken{"1 2 3 4 1000 640", "has 6 columns, at least 7 are needed"},
        Broken{"1 2 3 4 1000 640 480 1", "has 8 columns, 7 are needed"},
        Broken{"nan 2 3 4 1000 640 480", "x can't be 'nan'"},
        Broken{"1 inf 3 4 1000 640 480", "y can't be 'inf'"},
        Broken{"1 2 -3 4 1000 640 480", "width can't be '-3'"},
        Broken{"1 2 3 -0.5 1000 640 480", "height can't be '-0.5'"},
        Broken{"1 2 3 4 car 640 480", "id can't be 'car'"},
        Broken{"1 2 3 4 -1 640 480", "id can't be '-1'"},
        Broken{"1 2 3 4 1001 640 480", "id can't be '1001': it is in this frame already"},
        Broken{"1 2 3 4 1000 0 480", "frame-width can't be '0'"},
        Broken{"1 2 3 4 1000 640 -480", "frame-height can't be '-480'"},
        Broken{"1 2 3 4 1000 641 480", "frame-width can't be '641': it was 640 before"},
        Broken{"1 2 3 4 1000 640 481", "frame-height can't be '481': it was 480 before"},
        Broken{"1 2 3 4e 1000 640 480", "height can't be '4e'"}));

TEST_F(Traces, AReleasedFileThatIsNoFrameIsNamed) {
  write("v/0.txt", "1 2 3 4 1000 640 480\n");
  const std::string file = write("v/0a.txt", "1 2 3 4 1000 640 480\n");
  EXPECT_EQ(failure(folder_.path()), file + ": its name is not a frame number");
  std::filesystem::remove(file);
  write("v/00.txt", "");
  EXPECT_THAT(failure(folder_.path()), HasSubstr("is the same frame as"));
}

// --- KITTI ---

TEST_F(Traces, KittiLabelsKeepFramesWithoutLinesAndRegionsToIgnore) {
  write("training/label_02/0003.txt",
        std::string("0 0 Van 0 0 -1.79 296.7 161.7 455.2 292.3 2 1.8 4.4 -4.5 1.8 13.4 -2.1\n") +
            "0 -1 DontCare -1 -1 -10 219.3 188.5 245.5 218.6 -1000 -1000 -1000 -10 -1 -1 -1\n" +
            "3 7 Pedestrian 0 0 0 10 20 30 60" + kKittiTail + " 0.5\n");
  write("training/calib/0003.txt", "P0: 1 2 3\n");
  const auto traces = readTraces(folder_.file("training"));
  ASSERT_THAT(traces, SizeIs(1));
  EXPECT_EQ(traces[0].name, "0003");
  ASSERT_THAT(traces[0].frames, SizeIs(4));
  const auto& first = traces[0].frames[0];
  EXPECT_EQ(first.size, (Size{1242, 375}));
  ASSERT_THAT(first.objects, SizeIs(2));
  EXPECT_EQ(first.objects[0],
            (TraceObject{0, 2, "Van", {296.7F, 161.7F, 455.2F, 292.3F}, 1, false}));
  EXPECT_TRUE(first.objects[1].ignored);
  EXPECT_TRUE(traces[0].frames[1].objects.empty());
  EXPECT_EQ(traces[0].frames[3].objects[0].score, 0.5F);
  EXPECT_EQ(first.stamp, 0ms);
  EXPECT_EQ(traces[0].frames[3].stamp, 300ms) << "ten frames a second";
}

TEST_F(Traces, KittiLabelsCanBeAFolderOrOneFileAndTheirSizeGiven) {
  const std::string file =
      write("label_02/0000.txt", std::string("1 2 Car 0 0 0 1 2 3 4") + kKittiTail);
  for (const std::string& path : {folder_.path(), folder_.file("label_02"), file}) {
    const auto traces = readTraces(path, {.format = {}, .frameSize = {640, 480}});
    ASSERT_THAT(traces, SizeIs(1)) << path;
    EXPECT_EQ(traces[0].name, "0000") << path;
    EXPECT_EQ(traces[0].frames[1].size, (Size{640, 480})) << path;
  }
}

class KittiBrokenLine : public Traces, public ::testing::WithParamInterface<Broken> {};

TEST_P(KittiBrokenLine, IsReportedWithFileAndLine) {
  const std::string good = std::string("0 0 Car 0 0 0 1 2 3 4") + kKittiTail + "\n";
  const std::string tail = std::string(GetParam().line).ends_with('!') ? "" : kKittiTail;
  std::string line = GetParam().line;
  if (line.ends_with('!')) line.pop_back();
  const std::string file = write("label_02/0000.txt", good + line + tail + "\n");
  EXPECT_EQ(failure(folder_.path()), file + ":2: " + GetParam().message);
}

// A line that ends in ! is complete without the columns in metres.
INSTANTIATE_TEST_SUITE_P(
    All, KittiBrokenLine,
    ::testing::Values(
        Broken{"0 1 Car 0 0 0 1 2 3 4 1 1!", "has 12 columns, at least 17 are needed"},
        Broken{"0 1 Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1 1 1!", "has 19 columns, at most 18 are known"},
        Broken{"-1 1 Car 0 0 0 1 2 3 4", "frame can't be '-1'"},
        Broken{"0.5 1 Car 0 0 0 1 2 3 4", "frame can't be '0.5'"},
        Broken{"99999999999 1 Car 0 0 0 1 2 3 4", "frame can't be '99999999999'"},
        Broken{"0 x Car 0 0 0 1 2 3 4", "track can't be 'x'"},
        Broken{"0 -2 Car 0 0 0 1 2 3 4", "track can't be '-2'"},
        Broken{"0 0 Car 0 0 0 1 2 3 4", "track can't be '0': it is in this frame already"},
        Broken{"0 1 Zeppelin 0 0 0 1 2 3 4", "type can't be 'Zeppelin'"},
        Broken{"0 1 Car 0 0 0 nan 2 3 4", "left can't be 'nan'"},
        Broken{"0 1 Car 0 0 0 5 2 3 4", "right can't be '3'"},
        Broken{"0 1 Car 0 0 0 1 5 3 4", "bottom can't be '4'"}));

// --- MOTChallenge ---

TEST_F(Traces, MotTruthTakesSizeAndLengthFromTheSequence) {
  write("MOT17-02/seqinfo.ini",
        "[Sequence]\nname=MOT17-02\nseqLength=5\nimWidth=1920\nimHeight=1080\n");
  write("MOT17-02/gt/gt.txt", "1,4,10,20,30,40,1,1,0.5\n3,5,10,20,30,40,0,7,1\n");
  write("MOT17-02/det/det.txt", "1,-1,10,20,30,40,0.75\n1,-1,11,20,30,40,0\n");
  const auto traces = read();
  ASSERT_THAT(traces, SizeIs(1));
  EXPECT_EQ(traces[0].name, "MOT17-02");
  ASSERT_THAT(traces[0].frames, SizeIs(5));
  EXPECT_EQ(traces[0].frames[0].size, (Size{1920, 1080}));
  EXPECT_THAT(traces[0].frames[0].objects,
              ElementsAre(TraceObject{4, 0, "", {9, 19, 39, 59}, 1, false}));
  EXPECT_TRUE(traces[0].frames[2].objects[0].ignored);

  const auto detections = readTraces(folder_.file("MOT17-02/det/det.txt"));
  EXPECT_EQ(detections[0].name, "MOT17-02");
  EXPECT_THAT(
      detections[0].frames[0].objects,
      ElementsAre(TraceObject{TraceObject::kUnknownId, 0, "", {9, 19, 39, 59}, 0.75F, false},
                  TraceObject{TraceObject::kUnknownId, 0, "", {10, 19, 40, 59}, 0, false}));
}

TEST_F(Traces, MotFilesTellWhenFramesWereWhereTheSequenceDoes) {
  write("S/gt/gt.txt", "4,1,10,20,30,40,1\n");
  const auto stampWith = [&](const std::string& line) {
    write("S/seqinfo.ini", "[Sequence]\nimWidth=640\nimHeight=480\n" + line);
    return read().at(0).frames.at(3).stamp;
  };
  EXPECT_EQ(stampWith("frameRate=25\n"), 120ms);
  EXPECT_EQ(stampWith("frameRate=7.5\n"), 400ms);
  EXPECT_EQ(stampWith(""), std::nullopt);
}

TEST_F(Traces, AMotFileAloneNeedsTheFrameSize) {
  const std::string file = write("pets.txt", "1,4,10,20,30,40,1\n");
  EXPECT_THAT(failure(file), HasSubstr("frame-size: must be given"));
  const auto traces = readTraces(file, {.format = {}, .frameSize = {768, 576}});
  EXPECT_EQ(traces[0].name, "pets");
  EXPECT_EQ(traces[0].frames[0].size, (Size{768, 576}));
}

TEST_F(Traces, MotRegionsToIgnoreMayShareAnId) {
  const TraceOptions size{.format = {}, .frameSize = {768, 576}};
  for (const char* id : {"7", "0", "-1"}) {
    const std::string region = std::string("1,") + id + ",5,5,9,9,0\n";
    const auto objects =
        readTraces(write("m.txt", "1,7,1,1,9,9,1\n" + region + region), size)[0].frames[0].objects;
    ASSERT_THAT(objects, SizeIs(3)) << id;
    EXPECT_FALSE(objects[0].ignored) << id;
    EXPECT_TRUE(objects[1].ignored && objects[2].ignored) << id;
  }
}

TEST_F(Traces, MotFramesAndSequencesMayBeWrittenAsReals) {
  write("S/seqinfo.ini",
        "[Sequence]\nseqLength=3.0\nimWidth=640.0\nimHeight=4.8e2\nframeRate=25.0\n");
  write("S/gt/gt.txt", "1.0,4.0,10,20,30,40,1.0\n2.0,4.0,10,20,30,40,1.0\n");
  const auto traces = read();
  ASSERT_THAT(traces.at(0).frames, SizeIs(3));
  EXPECT_EQ(traces[0].frames[0].size, (Size{640, 480}));
  EXPECT_EQ(traces[0].frames[1].objects.at(0).id, 4);
  const std::string info = write("S/seqinfo.ini", "[Sequence]\nimWidth=640.5\nimHeight=480\n");
  EXPECT_EQ(failure(folder_.path()), info + ": imWidth can't be '640.5'");
}

TEST_F(Traces, BoxesWithoutSizeAreLeftOutWithOneWarning) {
  std::vector<std::string> warnings;
  const TraceOptions options{.format = {},
                             .frameSize = {768, 576},
                             .warn = [&](const std::string& text) { warnings.push_back(text); }};
  const auto objects = [&](const std::string& path) {
    std::vector<std::size_t> counts;
    for (const TraceFrame& frame : readTraces(path, options).at(0).frames)
      counts.push_back(frame.objects.size());
    return counts;
  };
  const std::string mot = write("m.txt", "1,4,1,1,0,9,1\n1,5,1,1,9,9,1\n2,-1,-1,-1,-1,-1,1\n");
  EXPECT_THAT(objects(mot), ElementsAre(1, 0));
  const std::string kitti = write("k.txt", std::string("0 1 Car 0 0 0 1 2 1 4") + kKittiTail +
                                               "\n" + "1 1 Car 0 0 0 1 2 3 2" + kKittiTail + "\n");
  EXPECT_THAT(objects(kitti), ElementsAre(0, 0));
  const std::string released = write("v/0.txt", "1 2 0 4 1000 768 576\n1 2 3 4 1000 768 576\n");
  EXPECT_THAT(objects(folder_.file("v")), ElementsAre(1));
  const std::string what = ":1: a box without width or height is left out";
  EXPECT_THAT(warnings, ElementsAre(mot + what + ", and 1 after it",
                                    kitti + what + ", and 1 after it", released + what));
}

TEST_F(Traces, BrokenMotFilesAreReportedWithTheirLine) {
  const TraceOptions size{.format = {}, .frameSize = {768, 576}};
  const std::string file = write("m.txt", "1,4,1,1,1,1,1\n\n1,4,1,1,1,1,1\n");
  EXPECT_EQ(failure(file, size), file + ":3: id can't be '4': it is in this frame already");
  write("m.txt", "1,-7,1,1,1,1,1\n");
  EXPECT_EQ(failure(file, size), file + ":1: id can't be '-7'");
  write("m.txt", "1,4,1,nan,1,1,1\n");
  EXPECT_EQ(failure(file, size), file + ":1: y can't be 'nan'");
  write("m.txt", "1,4,3e38,1,3e38,1,1\n");
  EXPECT_EQ(failure(file, size), file + ":1: width can't be '3e38'");
}

TEST_F(Traces, ABrokenSequenceFileIsNamed) {
  const std::string truth = write("S/gt/gt.txt", "1,4,1,1,1,1,1\n9,4,1,1,1,1,1\n");
  const std::string info = write("S/seqinfo.ini", "[Sequence]\nimWidth=640\n");
  EXPECT_THAT(failure(folder_.path()), ::testing::StartsWith(info + ": "));
  write("S/seqinfo.ini", "[Sequence]\nimWidth=640\nimHeight=0\n");
  EXPECT_EQ(failure(folder_.path()), info + ": imWidth and imHeight must be above 0");
  write("S/seqinfo.ini", "[Sequence]\nimWidth=640\nimHeight=480\nseqLength=8\n");
  EXPECT_EQ(failure(folder_.path()), truth + ":2: frame can't be '9': there are 8");
  write("S/seqinfo.ini", "[Sequence]\nimWidth=640\nimHeight=480\nframeRate=0\n");
  EXPECT_EQ(failure(folder_.path()), info + ": frameRate must be 0.01 at least");
}

// --- JSON lines ---

FrameRecord record(std::uint64_t id, std::uint32_t generation, std::vector<Detection> detections) {
  FrameRecord made;
  made.id = id;
  made.generation = generation;
  made.size = {768, 576};
  made.detections = std::move(detections);
  return made;
}

Detection detection(Identity id, bool coasted) {
  Detection made;
  made.box = {101.5F, 20, 130.1F, 96.25F};
  made.score = 0.87F;
  made.labelId = 3;
  made.label = "person";
  made.id = id;
  made.coasted = coasted;
  return made;
}

std::string lines(const std::vector<FrameRecord>& records) {
  std::string text;
  for (const FrameRecord& one : records) text += toJsonLine(one, std::nullopt) + "\n";
  return text;
}

TEST_F(Traces, JsonLinesAreWhatElfmergeWroteWithoutCoastedBoxes) {
  const std::string file =
      write("street.jsonl",
            lines({record(0, 0, {detection(5, false), detection(6, true)}), record(2, 0, {})}));
  for (const std::string& path : {file, folder_.path()}) {
    const auto traces = readTraces(path);
    ASSERT_THAT(traces, SizeIs(1));
    EXPECT_EQ(traces[0].name, "street");
    ASSERT_THAT(traces[0].frames, SizeIs(2));
    EXPECT_EQ(traces[0].frames[0].size, (Size{768, 576}));
    EXPECT_THAT(
        traces[0].frames[0].objects,
        ElementsAre(TraceObject{5, 3, "person", {101.5F, 20, 130.1F, 96.25F}, 0.87F, false}));
    EXPECT_EQ(traces[0].frames[1].number, 2);
    EXPECT_TRUE(traces[0].frames[1].objects.empty());
  }
}

TEST_F(Traces, JsonLinesOfALaterStageAreWhatThatStageFound) {
  FrameRecord second = record(0, 0, {detection(5, false)});
  second.stage = 1;
  second.before =
      std::make_shared<const FrameRecord>(record(0, 0, {detection(5, false), detection(6, false)}));
  const auto traces = readTraces(write("faces.jsonl", lines({second})));
  EXPECT_THAT(traces.at(0).frames.at(0).objects, SizeIs(1));
}

TEST_F(Traces, JsonLinesTellWhenFramesWere) {
  const std::string file =
      write("time.jsonl", toJsonLine(record(0, 0, {}), 40000000) + "\n" +
                              toJsonLine(record(1, 0, {}), std::nullopt) + "\n");
  const auto frames = readTraces(file).at(0).frames;
  EXPECT_EQ(frames.at(0).stamp, std::chrono::milliseconds(40));
  EXPECT_FALSE(frames.at(1).stamp.has_value());
}

TEST_F(Traces, EachGenerationAndEachRunInAFileOfJsonLinesIsATraceOfItsOwn) {
  write("b.jsonl", lines({record(0, 0, {}), record(1, 0, {}), record(2, 1, {}), record(0, 0, {}),
                          record(1, 0, {})}));
  write("a.jsonl", lines({record(4, 2, {})}));
  std::vector<std::string> names;
  std::vector<std::size_t> frames;
  for (const Trace& trace : read()) {
    names.push_back(trace.name);
    frames.push_back(trace.frames.size());
  }
  EXPECT_THAT(names, ElementsAre("a", "b", "b#2", "b#3"));
  EXPECT_THAT(frames, ElementsAre(1, 2, 1, 2));
}

TEST_F(Traces, AreInTheOrderOfTheNumbersInTheirNames) {
  std::vector<FrameRecord> runs;
  for (int run = 0; run < 11; ++run) runs.push_back(record(0, 0, {}));
  write("cam2.jsonl", lines({record(0, 0, {})}));
  write("cam10.jsonl", lines(runs));
  std::vector<std::string> names;
  for (const Trace& trace : read()) names.push_back(trace.name);
  EXPECT_THAT(names,
              ElementsAre("cam2", "cam10", "cam10#2", "cam10#3", "cam10#4", "cam10#5", "cam10#6",
                          "cam10#7", "cam10#8", "cam10#9", "cam10#10", "cam10#11"));
}

struct Torn {
  const char* how;
  std::string text;
  /** Numbers of the frames of each trace. */
  std::vector<std::vector<std::int64_t>> frames;
  /** Lines that are warned of. */
  std::vector<std::size_t> lines;
};
std::ostream& operator<<(std::ostream& out, const Torn& torn) {
  return out << torn.how;
}

class TornJsonLine : public Traces, public ::testing::WithParamInterface<Torn> {};

TEST_P(TornJsonLine, IsSkippedWithAWarningThatNamesIt) {
  const std::string file = write("x.jsonl", GetParam().text);
  std::vector<std::string> warnings, expected;
  const auto traces =
      readTraces(file, {.warn = [&](const std::string& text) { warnings.push_back(text); }});
  std::vector<std::vector<std::int64_t>> frames;
  for (const Trace& trace : traces)
    for (frames.emplace_back(); const TraceFrame& frame : trace.frames)
      frames.back().push_back(frame.number);
  EXPECT_EQ(frames, GetParam().frames);
  for (const std::size_t line : GetParam().lines)
    expected.push_back(file + ":" + std::to_string(line) +
                       ": not a complete line of JSON (skipped)");
  EXPECT_EQ(warnings, expected);
}

std::string jsonLine(std::uint64_t id, Size size = {768, 576}) {
  FrameRecord one = record(id, 0, {detection(5, false)});
  one.size = size;
  return toJsonLine(one, std::nullopt);
}
std::string halfOf(const std::string& line) {
  return line.substr(0, line.size() / 2);
}

INSTANTIATE_TEST_SUITE_P(
    All, TornJsonLine,
    ::testing::Values(
        Torn{"at the end", jsonLine(0) + "\n" + halfOf(jsonLine(1)), {{0}}, {2}},
        Torn{"by one byte",
             jsonLine(0) + "\n" + jsonLine(1).substr(0, jsonLine(1).size() - 1),
             {{0}},
             {2}},
        Torn{"after one byte", jsonLine(0) + "\n{", {{0}}, {2}},
        Torn{"only its end of line is missing", jsonLine(0) + "\n" + jsonLine(1), {{0, 1}}, {}},
        Torn{"in the middle, and the same run went on",
             jsonLine(0) + "\n" + halfOf(jsonLine(1)) + "\n" + jsonLine(5) + "\n",
             {{0, 5}},
             {2}},
        Torn{"and another run followed",
             jsonLine(0) + "\n" + halfOf(jsonLine(1)) + "\n" + jsonLine(0) + "\n" + jsonLine(1) +
                 "\n",
             {{0}, {0, 1}},
             {2}},
        Torn{"and another run was glued to it",
             jsonLine(0) + "\n" + halfOf(jsonLine(1)) + jsonLine(0) + "\n" + jsonLine(1) + "\n",
             {{0}, {0, 1}},
             {2}},
        Torn{"and another run was glued to the whole line",
             jsonLine(0) + "\n" + jsonLine(1) + jsonLine(0) + "\n",
             {{0, 1}, {0}},
             {}},
        Torn{"and the first frames of the next run are lost",
             jsonLine(3) + "\n" + halfOf(jsonLine(4)) + "\n" + jsonLine(2) + "\n",
             {{3}, {2}},
             {2}},
        Torn{"and the next run has frames of another size",
             jsonLine(3) + "\n" + halfOf(jsonLine(4)) + "\n" + jsonLine(7, {64, 48}) + "\n",
             {{3}, {7}},
             {2}},
        Torn{"zeros after a power cut",
             jsonLine(0) + "\n" + std::string(100, '\0') + "\n" + jsonLine(0) + "\n",
             {{0}, {0}},
             {2}},
        Torn{"zeros, and another run was glued to them",
             jsonLine(0) + "\n" + std::string(100, '\0') + jsonLine(0) + "\n",
             {{0}, {0}},
             {2}}));

TEST_F(Traces, JsonLinesOfOtherProgramsMayWriteWholeNumbersAsReals) {
  std::string text = lines({record(7, 0, {detection(5, false)})});
  for (const auto& [from, to] :
       {std::pair{"\"frame\":7", "\"frame\":7.0"}, {"\"width\":768", "\"width\":768.0"}})
    text.replace(text.find(from), std::string(from).size(), to);
  const auto traces = readTraces(write("x.jsonl", text));
  EXPECT_EQ(traces.at(0).frames.at(0).number, 7);
  EXPECT_EQ(traces[0].frames[0].size, (Size{768, 576}));
}

TEST_F(Traces, AFileOfTornLinesAloneHoldsNoFrames) {
  const std::string file = write("x.jsonl", halfOf(jsonLine(0)));
  EXPECT_EQ(failure(file), file + ": holds no frames");
}

class JsonBrokenLine : public Traces, public ::testing::WithParamInterface<Broken> {};

TEST_P(JsonBrokenLine, IsReportedWithFileAndLine) {
  const std::string file =
      write("x.jsonl", lines({record(7, 0, {detection(5, false)})}) + GetParam().line + "\n");
  EXPECT_EQ(failure(file), file + ":2: " + GetParam().message);
}

#define FRAME(rest) "{\"frame\":8,\"generation\":0,\"width\":768,\"height\":576" rest
#define DETECTION(id, label_id, score, box)                                     \
  FRAME(",\"detections\":[{\"id\":" id ",\"label\":\"\",\"label_id\":" label_id \
        ",\"score\":" score ",\"box\":" box ",\"coasted\":false}]}")
INSTANTIATE_TEST_SUITE_P(
    All, JsonBrokenLine,
    ::testing::Values(
        Broken{"frame 8", "not a complete line of JSON"},
        Broken{"[]", "not a JSON object, or holds something other than JSON objects"},
        Broken{"{\"generation\":0}", "has no frame"}, Broken{FRAME("}"), "has no detections"},
        Broken{FRAME(",\"detections\":[3]}"),
               "not a JSON object, or holds something other than JSON objects"},
        Broken{FRAME(",\"detections\":{}}"), "detections can't be {}"},
        Broken{"{\"frame\":-8,\"generation\":0}", "frame can't be -8"},
        Broken{"{\"frame\":18446744073709551615,\"generation\":0}",
               "frame can't be 18446744073709551615"},
        Broken{"{\"frame\":8.5,\"generation\":0}", "frame can't be 8.5"},
        Broken{"{\"frame\":7,\"generation\":0,\"width\":768,\"height\":576,\"detections\":[]}",
               "frame can't be 7: the line before has 7"},
        Broken{"{\"frame\":8,\"generation\":0,\"width\":0,\"height\":576,\"detections\":[]}",
               "width can't be 0"},
        Broken{"{\"frame\":8,\"generation\":0,\"width\":640,\"height\":480,\"detections\":[]}",
               "width can't be 640: the size changes within a generation"},
        Broken{DETECTION("\"5\"", "0", "1", "[1,2,3,4]"), "id can't be \"5\""},
        Broken{DETECTION("5", "null", "1", "[1,2,3,4]"), "label_id can't be null"},
        Broken{DETECTION("5", "0", "null", "[1,2,3,4]"), "score can't be null"},
        Broken{DETECTION("5", "0", "1", "[1,2,3]"), "box can't be [1,2,3]"},
        Broken{DETECTION("5", "0", "1", "[1,2,3,null]"), "box can't be [1,2,3,null]"},
        Broken{DETECTION("5", "0", "1", "[3,2,1,4]"), "box can't be [3,2,1,4]"},
        Broken{DETECTION("5", "0", "1", "[1,2,3,1e300]"), "box can't be [1,2,3,1e+300]"}));

// --- How it was saved ---

/** `text` as programs on Windows save it. */
std::string fromWindows(const std::string& text) {
  std::string saved = "\xEF\xBB\xBF";
  for (const char c : text) saved += c == '\n' ? "\r\n" : std::string(1, c);
  return saved;
}

TEST_F(Traces, AreReadAsAnEditorShowsTheirFiles) {
  const std::string kitti = std::string("0 7 Car 0 0 0 1 2 3 4") + kKittiTail + "\n";
  std::string tabs = kitti;
  std::replace(tabs.begin(), tabs.end(), ' ', '\t');
  const std::string json = lines({record(0, 0, {detection(5, false)})});
  const std::string mot = "1,4,1,1,30,40,1\n", sequence = "[Sequence]\nimWidth=64\nimHeight=48\n";
  const std::string released = "1 2 3 4 1000 640 480\n";
  for (const auto& [name, plain, saved] : std::vector<std::array<std::string, 3>>{
           {"label_02/0000.txt", kitti, fromWindows(kitti)},
           {"label_02/0000.txt", kitti, "\t" + tabs + "\u00a0\n"},
           {"x.jsonl", json, fromWindows(json)},
           {"x.jsonl", json, "\u00a0" + json},
           {"S/gt/gt.txt", mot, fromWindows(mot)},
           {"S/gt/gt.txt", mot, " 1,\t4 ,1,1,30,40\t,1\t\r\n"},
           {"S/gt/gt.txt", mot, "1\t4\t1\t1\t30\t40\t1\n"},
           {"S/gt/gt.txt", mot, "1 4 1 1 30 40 1\n"},
           {"S/seqinfo.ini", sequence, fromWindows(sequence)},
           {"S/seqinfo.ini", sequence, "[ Sequence ]\nimWidth = 64 \nimHeight\t=\t48\n"},
           {"v/0.txt", released, fromWindows(released)},
           {"v/0.txt", released, "\u30001\t2 3  4 1000 640 480 \t\r"}}) {
    write("S/gt/gt.txt", mot);
    write("S/seqinfo.ini", sequence);
    const std::string path = folder_.file(name.substr(0, name.find('/')));
    std::vector<Trace> traces[2];
    for (const std::size_t i : {0, 1}) {
      write(name, i == 0 ? plain : saved);
      traces[i] = readTraces(path);
      ASSERT_THAT(traces[i], SizeIs(1)) << saved;
    }
    EXPECT_EQ(traces[0][0].frames[0].objects, traces[1][0].frames[0].objects) << saved;
    EXPECT_EQ(traces[0][0].frames[0].size, traces[1][0].frames[0].size) << saved;
    EXPECT_FALSE(traces[0][0].frames[0].objects.empty());
  }
}

TEST_F(Traces, InUtf16AreRefusedByName) {
  std::string wide = "\xFF\xFE";
  for (const char c : std::string("1,4,1,1,30,40,1\n")) (wide += c) += '\0';
  const std::string file = write("m.txt", wide);
  EXPECT_EQ(failure(file), file + ": UTF-16 (save it as UTF-8)");
}

// --- Which format it is ---

TEST_F(Traces, TheFormatCanBeNamedInsteadOfRecognised) {
  const std::string file = write("lines.log", lines({record(0, 0, {})}));
  EXPECT_THAT(readTraces(file, {.format = "jsonl", .frameSize = {}}), SizeIs(1));
  EXPECT_EQ(failure(file, {.format = "csv", .frameSize = {}}), "format: unknown name \"csv\"");
  EXPECT_THAT(failure(file, {.format = "mot", .frameSize = {1, 1}}), HasSubstr("lines.log:1: "));
}

TEST_F(Traces, WhatHoldsNoTracesIsNamed) {
  EXPECT_EQ(failure(folder_.path()), folder_.path() + ": holds no traces of a known format");
  EXPECT_EQ(failure(folder_.file("no")), folder_.file("no") + ": does not exist");
  write("v/0.txt", "1 2 3 4 1000 640 480\n");
  std::filesystem::create_directory(folder_.file("w"));
  EXPECT_EQ(failure(folder_.path()), folder_.file("w") + ": holds no traces of a known format");
  write("w/x.jsonl", lines({record(0, 0, {})}));
  EXPECT_EQ(failure(folder_.path()),
            folder_.file("w") + ": holds traces of another format than " + folder_.file("v"));
  EXPECT_EQ(failure(write("e.jsonl", "")), folder_.file("e.jsonl") + ": holds no frames");
  EXPECT_THAT(failure(write("e.txt", "")), HasSubstr("its format can't be told"));
}

TEST_F(Traces, EveryFormatHasANameAndAWord) {
  EXPECT_EQ(traceFormatChoices().size(), 4U);
  for (const Choice& choice : traceFormatChoices()) {
    EXPECT_NE(std::string(choice.name), "");
    EXPECT_NE(std::string(choice.description), "");
  }
}

// --- The released Elf's own data ---

TEST_F(Traces, ReadsAllReleasedTraces) {
  const auto data = elf::testing::releasedTraces(folder_);
  if (data.empty()) GTEST_SKIP() << "the released traces are not on this machine";
  const auto frames = [](const std::vector<Trace>& traces) {
    return std::accumulate(
        traces.begin(), traces.end(), std::size_t{0},
        [](std::size_t sum, const Trace& trace) { return sum + trace.frames.size(); });
  };
  const auto eval = readTraces(data + "/eval");
  ASSERT_THAT(eval, SizeIs(5));
  EXPECT_EQ(frames(eval), 2589U);
  EXPECT_EQ(eval.front().name, "0016");
  const auto train = readTraces(data + "/train");
  EXPECT_THAT(train, SizeIs(16));
  EXPECT_EQ(frames(train), 5338U);
  std::size_t objects = 0;
  std::size_t ignored = 0;
  for (const auto* set : {&eval, &train})
    for (const Trace& trace : *set)
      for (const TraceFrame& frame : trace.frames)
        for (const TraceObject& object : frame.objects) ++(object.ignored ? ignored : objects);
  EXPECT_EQ(objects + ignored, 39040U);
  EXPECT_EQ(ignored, 765U);
}

}  // namespace
}  // namespace elf
