// SPDX-License-Identifier: LGPL-2.1-or-later
// What is said of the model `hog` where this build lacks it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/hog.h"
#include "tests/support/process.h"

namespace elf {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

testing::Outcome server(std::vector<std::string> arguments) {
  return testing::run(std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server",
                      std::move(arguments));
}

TEST(HogModel, FindsPeople) {
  GTEST_SKIP() << testing::kNoHog;
}

TEST(NoHogModel, IsOneErrorThatSaysWhatWouldBeRight) {
  for (const char* how : {"--model", "--check"}) {
    const testing::Outcome outcome = server({how, "hog"});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, "elf-server: " + std::string(getenv("ELF_TEST_SOURCE_ROOT")) +
                               "/models/hog.model: [model] backend: is hog, which this build lacks "
                               "(build Elf with -Dhog=enabled)\n");
  }
  const testing::Outcome builtIn = testing::run(
      "/usr/bin/env",
      {"-u", "ELF_MODEL_PATH", "XDG_DATA_DIRS=/nowhere",
       std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server", "--model", "hog"});
  EXPECT_THAT(builtIn.err, HasSubstr("elf-server: hog: [model] backend: is hog, which"));
}

TEST(NoHogModel, IsNotServedByDefault) {
  const testing::Outcome outcome = server({"--port=0"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err,
            "elf-server: --model: is missing, and this build lacks hog (give one that --list "
            "names); see elf-server --help\n");
  EXPECT_THAT(server({"--help"}).out, Not(HasSubstr("hog")));
}

TEST(NoHogModel, IsListedAsWhatIsNotInThisBuild) {
  EXPECT_THAT(server({"--list"}).out, ContainsRegex("\nhog +detection +hog +not in this build\n"));
}

}  // namespace
}  // namespace elf
