// SPDX-License-Identifier: LGPL-2.1-or-later
// The configuration file of elf-server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "elf/server/local_server.h"
#include "tests/support/folder.h"
#include "tests/support/process.h"

namespace elf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  static std::string program() {
    return std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server";
  }

  std::string written(const std::string& text) const {
    std::ofstream(folder_.file("server.conf")) << text;
    return folder_.file("server.conf");
  }

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.file(name)) << text;
    return folder_.file(name);
  }

  testing::Outcome run(const std::string& text, std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), {"--config", written(text)});
    return testing::run(program(), arguments);
  }

  /** What elf-server reports of itself with this file and these options. */
  nlohmann::json facts(const std::string& text, std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), {"--config", written(text)});
    // It has written them when it has ended.
    LocalServer({.program = program(), .arguments = arguments});
    return nlohmann::json::parse(std::ifstream(folder_.file("facts")));
  }

  testing::Folder folder_;
};

TEST_F(ConfigTest, IsReadAsAnEditorShowsIt) {
  const std::string facts = "json=" + folder_.file("facts");
  for (const std::string& text :
       {"\xEF\xBB\xBF[elf-server]\r\nmodel=simulated\r\nport=0\r\n" + facts + "\r\n",
        "[ elf-server ]\n\tmodel\t= \u00a0simulated ; \nport=0 \t\n" + facts}) {
    EXPECT_EQ(this->facts(text)["models"], nlohmann::json({"simulated"}));
  }
  EXPECT_THAT(run(std::string("\xFF\xFE[\0e\0", 6)).err, HasSubstr(": UTF-16 (save it as UTF-8)"));
}

TEST_F(ConfigTest, IsReadAndAListNamesSeveralModels) {
  const std::string other = file("other.model", "[model]\nbackend=simulated\n");
  const auto found = facts("# Of a machine\n[elf-server]\nmodel=simulated; " + other +
                           "\nthreads= 2\nport=1\njson=" + folder_.file("facts") + "\n");
  EXPECT_EQ(found["models"], nlohmann::json({"simulated", "other"}));
  EXPECT_EQ(found["threads"], 2);
}

TEST_F(ConfigTest, TheCommandLineWins) {
  const auto found = facts("[elf-server]\nmodel=nowhere\nthreads=2\njson=" + folder_.file("facts"),
                           {"--model", "simulated", "--threads", "3"});
  EXPECT_EQ(found["models"], nlohmann::json({"simulated"}));
  EXPECT_EQ(found["threads"], 3);
}

TEST_F(ConfigTest, WhatIsWrongIsOneLineThatNamesFileAndKeyAndWhatWouldBeRight) {
  const std::string key = file("key", "");
  for (const auto& [text, said] : {
           std::pair<std::string, std::string>{"[elf-server]\nprot=8001",
                                               ": [elf-server] prot: unknown key (the keys are "
                                               "model, port, "},
           {"[elf-server]\nconfig=other", ": [elf-server] config: unknown key"},
           {"[elf-server]\nlist=true", ": [elf-server] list: unknown key"},
           {"[server]\nport=8001", ": [server]: unknown group (the only one is [elf-server])"},
           {"port=8001", ": Key file"},
           {"[elf-server]\nport=many",
            ": [elf-server] port: 'many' is not a number between 0 and 65535"},
           {"[elf-server]\nport=70000",
            ": [elf-server] port: '70000' is not a number between 0 and 65535"},
           {"[elf-server]\nport=", ": [elf-server] port: is empty"},
           {"[elf-server]\ntoken-file=", ": [elf-server] token-file: is empty"},
           {"[elf-server]\nmodel=", ": [elf-server] model: is empty"},
           {"[elf-server]\nmodel=simulated;;", ": [elf-server] model: is empty"},
           {"[elf-server]\nthreads=0", ": [elf-server] threads: '0' is not a number between 1 and"},
           {"[elf-server]\nshow-answers=yes",
            ": [elf-server] show-answers: 'yes' is neither true nor false"},
           {"[elf-server]\nbind=\\z", ": [elf-server] bind: "},
           {"[elf-server]\nbind=\xff\xfe", ": "},
           {"[elf-server]\ntls-key=" + key, ": [elf-server] tls-key: is nothing without tls-cert"},
       }) {
    const testing::Outcome outcome = run(text);
    EXPECT_EQ(outcome.code, 1) << text;
    EXPECT_THAT(outcome.err, StartsWith("elf-server: " + folder_.file("server.conf") + said));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST_F(ConfigTest, AFileThatIsNotThereIsAnErrorAndAnEmptyOneIsNot) {
  const testing::Outcome missing =
      testing::run(program(), {"--config", folder_.file("none"), "--model", "simulated"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr(folder_.file("none")));
  EXPECT_EQ(facts("", {"--model", "simulated", "--json", folder_.file("facts")})["threads"], 1);
}

TEST_F(ConfigTest, IsNothingBesideATaskThatNamesItsModel) {
  EXPECT_EQ(run("[elf-server]\n", {"--check", "simulated"}).code, 2);
}

}  // namespace
}  // namespace elf
