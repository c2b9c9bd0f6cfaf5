// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/mot.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "elf/base/error.h"

namespace elf {
namespace {

TEST(Mot, ReadsATruthLineAndCountsFramesAndPixelsFromZero) {
  const auto entries = parseMot("1,9,499,158,31.5,75.25,1,-4.1,-7.3,0\n", "gt.txt");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0], (MotEntry{0, 9, {498, 157, 529.5F, 232.25F}, 1, 1}));
}

TEST(Mot, ReadsADetectionWithoutIdentity) {
  const auto entries = parseMot("12,-1,10,20,30,40,0.75,-1,-1,-1\n", "det.txt");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0], (MotEntry{11, -1, {9, 19, 39, 59}, 0.75F, 1}));
}

TEST(Mot, ToleratesSpacesCarriageReturnsEmptyLinesAndAMissingConfidence) {
  const auto entries = parseMot("1, 2, -3, 4, 5, 6\r\n\n \r\n2,2,1,1,1,1,0", "gt.txt");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0], (MotEntry{0, 2, {-4, 3, 1, 9}, 1, 1}));
  EXPECT_EQ(entries[1].confidence, 0);
  EXPECT_EQ(entries[1].line, 4U);
}

// The example of the devkit: the first pixel is (1, 1).
TEST(Mot, ABoxInTheFirstCornerOfTheFrameBeginsAtZero) {
  EXPECT_EQ(parseMot("1,1,1,1,10,10,1\n", "gt.txt").at(0).box, (Box{0, 0, 10, 10}));
  EXPECT_EQ(parseMot("1,-1,1.5,101,640,380,0.5\n", "det.txt").at(0).box,
            (Box{0.5F, 100, 640.5F, 480}));
}

TEST(Mot, TakesWholeNumbersHoweverTheyAreWritten) {
  for (const char* line :
       {"3,7,5,5,9,9,1", "3.0,7.0,5,5,9,9,1", "3.000000,7.,5.0,5.0,9,9,1.0",
        "3.000000000000000000e+00,7.0e+00,5e0,5.000e+00,9,9,1", "3.0\t7.0\t5\t5\t9\t9\t1"})
    EXPECT_EQ(parseMot(line, "gt.txt"), (std::vector<MotEntry>{{2, 7, {4, 4, 13, 13}, 1, 1}}))
        << line;
}

TEST(Mot, WarnsOnceOfBoxesWithoutSize) {
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& text) { warnings.push_back(text); };
  const auto entries =
      parseMot("1,1,5,5,9,9,1\n2,1,5,5,0,9,1\n3,1,5,5,9,0.0,1\n4,1,-1,-1,-1,-1,1\n5,1,5,5,9,-9,1\n",
               "gt.txt", warn);
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_FALSE(entries[0].box.empty());
  for (std::size_t i = 1; i < entries.size(); ++i) EXPECT_EQ(entries[i].box, Box{}) << i;
  EXPECT_EQ(warnings, std::vector<std::string>{
                          "gt.txt:2: a box without width or height is left out, and 3 after it"});
  warnings.clear();
  parseMot("1,1,5,5,9,9,1\n", "gt.txt", warn);
  EXPECT_TRUE(warnings.empty());
}

TEST(Mot, AnEmptyTextHasNoEntries) {
  EXPECT_TRUE(parseMot("", "gt.txt").empty());
}

struct BrokenLine {
  const char* line;
  const char* message;
};

class MotBrokenLine : public testing::TestWithParam<BrokenLine> {};

TEST_P(MotBrokenLine, IsReportedWithFileAndLine) {
  try {
    parseMot(std::string("1,1,1,1,1,1,1\n\n") + GetParam().line + "\n", "gt.txt");
    FAIL() << "accepted " << GetParam().line;
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), "gt.txt:3");
    EXPECT_EQ(std::string(error.what()), std::string("gt.txt:3: ") + GetParam().message);
  }
}

INSTANTIATE_TEST_SUITE_P(All, MotBrokenLine,
                         testing::Values(BrokenLine{"2,1,5,5,5",
                                                    "has 5 columns, at least 6 are needed"},
                                         BrokenLine{"0,1,5,5,5,5,1", "frame can't be '0'"},
                                         BrokenLine{"1.5,1,5,5,5,5,1", "frame can't be '1.5'"},
                                         BrokenLine{"99999999999999999999,1,5,5,5,5",
                                                    "frame can't be "
                                                    "'99999999999999999999'"},
                                         BrokenLine{"2,man,5,5,5,5,1", "id can't be 'man'"},
                                         BrokenLine{"2,1,,5,5,5,1", "x can't be ''"},
                                         BrokenLine{"2,1,5,nan,5,5,1", "y can't be 'nan'"},
                                         BrokenLine{"1e300,1,5,5,5,5,1", "frame can't be '1e300'"},
                                         BrokenLine{"2,1.25,5,5,5,5,1", "id can't be '1.25'"},
                                         BrokenLine{"2,nan,5,5,5,5,1", "id can't be 'nan'"},
                                         BrokenLine{"2,1,5,5,5,5,x", "confidence can't be 'x'"}));

TEST(Mot, AMissingFileAndAFolderAreNamed) {
  EXPECT_THROW(readMot("/nowhere/gt.txt"), Error);
  EXPECT_THROW(readMot("/"), Error);
}

TEST(Mot, ReadsTheTruthOfAWholeVideo) {
  const char* shared = std::getenv("ELF_TEST_SHARED");
  const std::string path = std::string(shared ? shared : "") + "/data/truth/pets09-s2l1-gt.txt";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the truth file is not on this machine";
  const auto entries = readMot(path);
  EXPECT_EQ(entries.size(), 4650U);
  EXPECT_EQ(entries.front().frame, 0);
  EXPECT_EQ(entries.back().frame, 794);
}

}  // namespace
}  // namespace elf
