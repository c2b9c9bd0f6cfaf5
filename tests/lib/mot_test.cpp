// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/mot.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "elf/base/error.h"

namespace elf {
namespace {

TEST(Mot, ReadsATruthLineAndCountsFramesFromZero) {
  const auto entries = parseMot("1,9,499,158,31.5,75.25,1,-4.1,-7.3,0\n", "gt.txt");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0], (MotEntry{0, 9, {499, 158, 530.5F, 233.25F}, 1, 1}));
}

TEST(Mot, ReadsADetectionWithoutIdentity) {
  const auto entries = parseMot("12,-1,10,20,30,40,0.75,-1,-1,-1\n", "det.txt");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0], (MotEntry{11, -1, {10, 20, 40, 60}, 0.75F, 1}));
}

TEST(Mot, ToleratesSpacesCarriageReturnsEmptyLinesAndAMissingConfidence) {
  const auto entries = parseMot("1, 2, -3, 4, 5, 6\r\n\n \r\n2,2,1,1,1,1,0", "gt.txt");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0], (MotEntry{0, 2, {-3, 4, 2, 10}, 1, 1}));
  EXPECT_EQ(entries[1].confidence, 0);
  EXPECT_EQ(entries[1].line, 4U);
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
                                         BrokenLine{"2,1,5,5,0,5,1", "width can't be '0'"},
                                         BrokenLine{"2,1,5,5,5,-1,1", "height can't be '-1'"},
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
