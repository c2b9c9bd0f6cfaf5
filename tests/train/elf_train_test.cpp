// SPDX-License-Identifier: LGPL-2.1-or-later
// The program elf-train, as a user starts it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "elf/predict/weights.h"
#include "tests/support/folder.h"
#include "tests/support/process.h"
#include "tests/support/traces.h"
#include "tests/train/made_traces.h"

namespace elf {
namespace {

namespace fs = std::filesystem;

using testing::Folder;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string program() {
  return std::string(std::getenv("ELF_TEST_BUILD_ROOT")) + "/lib/research/programs/elf-train";
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ElfTrain : public ::testing::Test {
 protected:
  ElfTrain() { testing::writeTraces(testing::madeTraces(5, 12), data()); }

  std::string data() const { return folder_.file("synthetic"); }
  testing::Outcome train(const std::string& output, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"--data", data(), "--output", folder_.file(output)});
    return testing::run(program(), more);
  }

  Folder folder_;
};

TEST_F(ElfTrain, WritesWeightsCurveAndFigures) {
  const auto outcome = train("own.safetensors", {"--predictor=attn-lstm", "--epochs=4",
                                                 "--json=" + folder_.file("figures.json")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("epoch 4/4: loss "));
  EXPECT_EQ(outcome.err.find('\r'), std::string::npos) << "a bar where there is no terminal";
  EXPECT_THAT(outcome.out, HasSubstr("own.safetensors: attn-lstm of epoch "));
  EXPECT_EQ(loadWeights("attn-lstm", folder_.file("own.safetensors")).metadata("data"),
            "synthetic");
  const std::string csv = read(folder_.file("own.csv"));
  EXPECT_THAT(csv, StartsWith("epoch,training_loss,validation_loss,learning_rate\n1,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 5);
  EXPECT_THAT(read(folder_.file("own.svg")), HasSubstr("<polyline"));
  const auto figures = nlohmann::json::parse(read(folder_.file("figures.json")));
  EXPECT_EQ(figures.at("epochs"), 4);
  EXPECT_EQ(figures.at("predictor"), "attn-lstm");
  EXPECT_EQ(figures.at("validation_videos").size(), 1U);
  EXPECT_FALSE(fs::exists(folder_.file("own.safetensors.checkpoint")));
}

TEST_F(ElfTrain, WarnsOfALineThatWasCutOffAndGoesOn) {
  const std::string file = folder_.file("x.jsonl");
  std::ofstream lines(file);
  for (int frame = 0; frame < 40; ++frame)
    lines << R"({"frame":)" << frame
          << R"(,"generation":0,"width":640,"height":480,"detections":[{"id":1,"label":"car",)"
          << R"("label_id":1,"score":1,"coasted":false,"box":[)" << 10 + frame << ",10,90,90]}]}\n";
  lines << R"({"frame":40,"gene)";
  lines.close();
  const auto outcome = testing::run(
      program(), {"--data", file, "--output", folder_.file("own.safetensors"), "--epochs=1"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, StartsWith("elf-train: warning: " + file +
                                      ":41: not a complete line of JSON (skipped)\n"));
}

TEST_F(ElfTrain, TheSameSeedGivesTheSameFile) {
  ASSERT_EQ(train("a.safetensors", {"--epochs=3", "--seed=7"}).code, 0);
  ASSERT_EQ(train("b.safetensors", {"--epochs=3", "--seed=7"}).code, 0);
  ASSERT_EQ(train("c.safetensors", {"--epochs=3", "--seed=8"}).code, 0);
  EXPECT_EQ(read(folder_.file("a.safetensors")), read(folder_.file("b.safetensors")));
  EXPECT_NE(read(folder_.file("a.safetensors")), read(folder_.file("c.safetensors")));
}

TEST_F(ElfTrain, KilledAndResumedGivesTheSameFile) {
  const std::vector<std::string> settings{"--epochs=100", "--patience=0"};
  ASSERT_EQ(train("whole.safetensors", settings).code, 0);

  const std::string output = folder_.file("killed.safetensors");
  const std::string checkpoint = output + ".checkpoint";
  const std::string data = this->data();
  const char* argv[] = {"elf-train",  "--epochs=100", "--patience=0", "--data",
                        data.c_str(), "--output",     output.c_str(), nullptr};
  GPid pid = 0;
  const std::string path = program();
  argv[0] = path.c_str();
  ASSERT_TRUE(g_spawn_async(
      nullptr, const_cast<char**>(argv), nullptr,
      static_cast<GSpawnFlags>(G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL |
                               G_SPAWN_STDOUT_TO_DEV_NULL),
      nullptr, nullptr, &pid, nullptr));
  // Until a few epochs are done.
  for (int i = 0; i < 3000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (!fs::exists(checkpoint)) continue;
    const Weights state = Weights::read(checkpoint);
    if (nlohmann::json::parse(state.metadata("history")).size() >= 5) break;
  }
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it was already done";
  ASSERT_FALSE(fs::exists(output));

  std::vector<std::string> resuming = settings;
  resuming.insert(resuming.end(), {"--resume", "--json=-"});
  const auto resumed = train("killed.safetensors", resuming);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_GE(nlohmann::json::parse(resumed.out).at("resumed_at"), 5);
  EXPECT_EQ(read(output), read(folder_.file("whole.safetensors")));
  EXPECT_EQ(read(folder_.file("killed.csv")), read(folder_.file("whole.csv")));
}

TEST_F(ElfTrain, NamesFileAndLineOfBadData) {
  std::ofstream(data() + "/video1/3.txt", std::ios::app) << "1 2 3 four 1009 640 480\n";
  const auto outcome = train("own.safetensors");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("video1/3.txt:5: "));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

TEST_F(ElfTrain, SaysWhatIsWrongInOneLine) {
  const auto expect = [&](const testing::Outcome& outcome, const std::string& words) {
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  };
  expect(train("nowhere/own.safetensors"), "nowhere/own.safetensors");
  fs::create_directory(folder_.file("folder.safetensors"));
  expect(train("folder.safetensors"), "Is a directory");
  expect(testing::run(program(), {"--data", folder_.file("nowhere"), "--output",
                                  folder_.file("own.safetensors")}),
         "nowhere");
  testing::writeTraces(testing::madeTraces(3, 2), folder_.file("short"));
  expect(testing::run(program(), {"--data", folder_.file("short"), "--output",
                                  folder_.file("own.safetensors")}),
         "holds nothing to learn from");
  std::ofstream(folder_.file("own.safetensors.checkpoint")) << "nonsense";
  expect(train("own.safetensors", {"--resume"}), "own.safetensors.checkpoint: ");
}

TEST_F(ElfTrain, ExitCodesTellWrongUseFromFailure) {
  EXPECT_EQ(testing::run(program(), {"--help"}).code, 0);
  EXPECT_THAT(testing::run(program(), {"--version"}).out, StartsWith("elf-train "));
  EXPECT_EQ(testing::run(program(), {}).code, 2);
  EXPECT_EQ(testing::run(program(), {"--data", data()}).code, 2);
  EXPECT_EQ(train("own.weights").code, 2);
  for (const char* wrong :
       {"--nonsense", "stray", "--predictor=velocity", "--epochs=-1", "--epochs=x", "--patience=-1",
        "--validation=0", "--validation=1", "--seed=-1", "--format=x", "--frame-size=5"}) {
    const auto outcome = train("own.safetensors", {wrong});
    EXPECT_EQ(outcome.code, 2) << wrong;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST_F(ElfTrain, LearnsFromTheReleasedTraces) {
  const std::string traces = testing::releasedTraces(folder_);
  if (traces.empty()) GTEST_SKIP() << "the released traces are not here";
  const auto outcome =
      testing::run(program(), {"--predictor=attn-lstm", "--epochs=2", "--data", traces + "/train",
                               "--output", folder_.file("own.safetensors"), "--json=-"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_LT(nlohmann::json::parse(outcome.out).at("validation_loss"), 0.5);
}

}  // namespace
}  // namespace elf
