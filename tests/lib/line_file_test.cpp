// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/line_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "tests/support/folder.h"
#include "tests/support/size_limit.h"

namespace elf {
namespace {

class LineFiles : public ::testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  std::string content() const { return readFile(path_); }

  testing::Folder folder_;
  const std::string path_ = folder_.file("lines");
};

TEST_F(LineFiles, GoOnInTheSameFile) {
  for (const char* line : {"one", "two"}) {
    LineFile file(path_);
    EXPECT_EQ(file.append(line), "");
  }
  EXPECT_EQ(content(), "one\ntwo\n");
}

TEST_F(LineFiles, BeginANewLineAfterOneThatWasCutOff) {
  for (const std::string& torn :
       {std::string("{\"frame\":7,\"gen"), std::string("}"), std::string(4, '\0')}) {
    write("whole\n" + torn);
    LineFile file(path_);
    file.append("one");
    file.append("two");
    EXPECT_EQ(content(), "whole\n" + torn + "\none\ntwo\n");
  }
}

TEST_F(LineFiles, WriteNoEmptyLineIntoAnEmptyFileOrAfterAWholeLine) {
  for (const std::string before : {"", "\n", "whole\n"}) {
    write(before);
    LineFile(path_).append("one");
    EXPECT_EQ(content(), before + "one\n");
  }
}

TEST_F(LineFiles, LeaveOutWhatDoesNotFitAndGoOnOnANewLine) {
  LineFile file(path_);
  file.append("first");
  {
    const testing::SizeLimit full(9);
    EXPECT_EQ(file.append("second"),
              path_ + ": can't be written: File too large (lines are left out until it can)");
    EXPECT_EQ(file.failure(), std::errc::file_too_large);
    EXPECT_EQ(file.append("third"), "") << "it is said once";
    EXPECT_TRUE(file.failure());
  }
  EXPECT_EQ(file.append("fourth"), path_ + ": is written again (lines left out: 2)");
  EXPECT_FALSE(file.failure());
  EXPECT_EQ(file.append("fifth"), "");
  EXPECT_EQ(content(), "first\nsec\nfourth\nfifth\n");
}

TEST_F(LineFiles, SayEachTimeThatTheDiskIsFull) {
  LineFile file(path_);
  file.append("first");
  for (int i = 0; i < 2; ++i) {
    std::optional<testing::SizeLimit> full(6);
    EXPECT_NE(file.append("second"), "");
    full.reset();
    EXPECT_NE(file.append("third"), "");
  }
  EXPECT_EQ(content(), "first\nthird\nthird\n")
      << "a line of which nothing was written leaves nothing";
}

TEST_F(LineFiles, GoIntoPipesAndDevices) {
  EXPECT_EQ(LineFile("/dev/null").append("one"), "");
  LineFile full("/dev/full");
  EXPECT_EQ(
      full.append("one"),
      "/dev/full: can't be written: No space left on device (lines are left out until it can)");
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(LineFile("pipe", ends[1]).append("one"), "");
  std::string read(8, '\0');
  read.resize(static_cast<std::size_t>(::read(ends[0], read.data(), read.size())));
  close(ends[0]);
  EXPECT_EQ(read, "one\n");
}

TEST_F(LineFiles, ThatCannotBeOpenedAreNamed) {
  const std::string nowhere = folder_.file("no/lines");
  try {
    LineFile file(nowhere);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), nowhere + ": can't be written: No such file or directory");
  }
  EXPECT_THROW(LineFile(folder_.path()), Error);
}

}  // namespace
}  // namespace elf
