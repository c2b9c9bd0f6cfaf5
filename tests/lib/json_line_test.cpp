// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/record/frame_fields.h"

#include <gtest/gtest.h>

#include <cmath>

namespace elf {
namespace {

FrameRecord oneDetection() {
  FrameRecord record;
  record.id = 7;
  record.generation = 2;
  record.trace = "ab";
  record.size = {640, 480};
  record.horizon = 3;
  record.horizonTime = std::chrono::microseconds(120500);
  Capacity capacity;
  capacity.servers.push_back({"http://a:1", true, {}});
  record.capacity = std::make_shared<const Capacity>(capacity);
  Detection d;
  d.box = {1.5F, 2, 30.1F, 40};
  d.score = 0.87F;
  d.labelId = 0;
  d.label = "person";
  d.id = 5;
  d.server = 0;
  record.detections.push_back(d);
  record.timings.total = Microseconds(1234);
  record.wholeBytes = 9;
  return record;
}

TEST(JsonLine, HasTheNamesOfTheContractInItsOrder) {
  EXPECT_EQ(
      toJsonLine(oneDetection(), 40000000),
      R"({"frame":7,"generation":2,"stage":0,"trace":"ab","pts_ns":40000000,"width":640,"height":480,"horizon":3,)"
      R"("horizon_ms":120.5,"inferred":false,)"
      R"("detections":[{"id":5,"label":"person","label_id":0,"score":0.87,)"
      R"("box":[1.5,2.0,30.1,40.0],"coasted":false,"kept":false,"server":"http://a:1","stage":0}],)"
      R"("timings_us":{"predict":0,"partition":0,"encode":0,"offload":0,"merge":0,)"
      R"("total":1234},"bytes":{"sent":0,"whole":9}})");
}

TEST(JsonLine, HoldsTheRotatedBoxOfADetectionThatHasOne) {
  FrameRecord record = oneDetection();
  record.detections[0].rotated = {15.8F, 21, 30.25F, 12, -0.52F};
  EXPECT_NE(toJsonLine(record, 0).find(
                R"("server":"http://a:1","stage":0,"rotated":[15.8,21.0,30.25,12.0,-0.52]}])"),
            std::string::npos)
      << toJsonLine(record, 0);
}

TEST(JsonLine, HoldsTheDetectionsOfEarlierStagesFirst) {
  FrameRecord record = oneDetection();
  record.before = std::make_shared<const FrameRecord>(oneDetection());
  record.stage = 1;
  record.capacity = nullptr;
  record.detections[0].label = "face";
  const std::string line = toJsonLine(record, 0);
  EXPECT_NE(line.find(R"("stage":1,"trace")"), std::string::npos) << line;
  const std::size_t first = line.find(R"("label":"person")"), own = line.find(R"("label":"face")");
  EXPECT_LT(first, own) << line;
  EXPECT_LT(line.find(R"("server":"http://a:1","stage":0})"), own) << line;
  EXPECT_NE(line.find(R"("server":null,"stage":1})"), std::string::npos) << line;
}

TEST(JsonLine, TellsWhetherTheFrameWasInferred) {
  FrameRecord record = oneDetection();
  record.inferred = true;
  EXPECT_NE(toJsonLine(record, 0).find(R"("inferred":true)"), std::string::npos);
}

TEST(JsonLine, IsNullWhereThereIsNoTimestampAndNoServer) {
  FrameRecord record = oneDetection();
  record.detections[0].server = -1;
  const std::string line = toJsonLine(record, std::nullopt);
  EXPECT_NE(line.find(R"("pts_ns":null)"), std::string::npos);
  EXPECT_NE(line.find(R"("server":null)"), std::string::npos);
}

TEST(JsonLine, IsAsciiOnOneLineWhateverAServerCallsAnObject) {
  FrameRecord record = oneDetection();
  // No text, the end of a line, an escape sequence, and an escape as U+009B.
  record.detections[0].label = "a\xff\nb\x1b[2J\xc2\x9b";
  EXPECT_NE(toJsonLine(record, 0).find(R"("a\ufffd\nb\u001b[2J\u009b")"), std::string::npos);
}

TEST(JsonLine, IsStillJsonForANumberThatIsNone) {
  FrameRecord record = oneDetection();
  record.detections[0].score = std::nanf("");
  EXPECT_NE(toJsonLine(record, 0).find(R"("score":null)"), std::string::npos);
}

}  // namespace
}  // namespace elf
