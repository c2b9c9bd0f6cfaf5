// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-launch as a user runs it.
#include <fcntl.h>
#include <gio/gio.h>
#include <gst/gst.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/folder.h"
#include "tests/support/stub_server.h"

namespace {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

/** A program that we started; ended and reaped by finish() or the destructor. */
class Process {
 public:
  explicit Process(std::vector<std::string> words) {
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    argv.push_back(nullptr);
    process_ = g_subprocess_newv(argv.data(),
                                 static_cast<GSubprocessFlags>(G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                                               G_SUBPROCESS_FLAGS_STDERR_PIPE),
                                 nullptr);
    if (process_) err_ = g_data_input_stream_new(g_subprocess_get_stderr_pipe(process_));
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (!process_) return;
    g_subprocess_force_exit(process_);
    g_subprocess_wait(process_, nullptr, nullptr);
    g_object_unref(err_);
    g_object_unref(process_);
  }

  bool started() const { return process_ != nullptr; }

  /** Reads standard error up to a line that holds `text`; false at its end. */
  bool waitForLine(const std::string& text) {
    while (gchar* line = g_data_input_stream_read_line(err_, nullptr, nullptr, nullptr)) {
      const std::string copy = line;
      g_free(line);
      read_ += copy + '\n';
      if (copy.find(text) != std::string::npos) return true;
    }
    return false;
  }

  void signal(int number) { g_subprocess_send_signal(process_, number); }

  Outcome finish() {
    Outcome outcome;
    while (waitForLine("\n")) continue;
    outcome.err = read_;
    GInputStream* out = g_subprocess_get_stdout_pipe(process_);
    char block[4096];
    for (gssize n = 0; (n = g_input_stream_read(out, block, sizeof block, nullptr, nullptr)) > 0;)
      outcome.out.append(block, static_cast<std::size_t>(n));
    g_subprocess_wait(process_, nullptr, nullptr);
    outcome.code =
        g_subprocess_get_if_exited(process_) ? g_subprocess_get_exit_status(process_) : -1;
    return outcome;
  }

 private:
  GSubprocess* process_ = nullptr;
  GDataInputStream* err_ = nullptr;
  std::string read_;
};

std::string inBuild(const char* path) {
  return std::string(g_getenv("ELF_TEST_BUILD_ROOT")) + "/" + path;
}

class ElfLaunch : public ::testing::Test {
 protected:
  std::string file(const char* name) const { return folder_.file(name); }
  std::string pipeline() const { return file("test.pipeline"); }

  void write(const std::string& text) {
    ASSERT_TRUE(g_file_set_contents(pipeline().c_str(), text.c_str(), -1, nullptr));
  }

  static std::vector<std::string> command(const std::vector<std::string>& arguments) {
    std::vector<std::string> words{inBuild("gst/programs/elf-launch")};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }

  static Outcome run(const std::vector<std::string>& arguments) {
    Process process(command(arguments));
    EXPECT_TRUE(process.started());
    return process.started() ? process.finish() : Outcome{};
  }

  elf::testing::Folder folder_;
};

TEST_F(ElfLaunch, ListsThePipelinesWithTheirVariables) {
  const Outcome outcome = run({"--list"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* name : {"people\n", "webcam\n", "whole-frame\n", "grid\n", "input="})
    EXPECT_NE(outcome.out.find(name), std::string::npos) << name;
}

TEST_F(ElfLaunch, WrongUseIsTwo) {
  EXPECT_EQ(run({}).code, 2);
  EXPECT_EQ(run({"--nonsense"}).code, 2);
  const Outcome unknown = run({"nosuchpipeline"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.err.find("elf-launch: nosuchpipeline: no such .pipeline file"), 0U)
      << unknown.err;
}

TEST_F(ElfLaunch, HelpAndVersionAreZero) {
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_EQ(run({"--version"}).out.find("elf-launch "), 0U);
}

TEST_F(ElfLaunch, ATypoInAFileIsOneLineNamingFileAndKey) {
  write("[pipeline]\nlanch=fakesrc\n");
  const Outcome outcome = run({pipeline()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "elf-launch: " + pipeline() + ": group [pipeline] has an unknown key 'lanch'\n");
}

TEST_F(ElfLaunch, AnUnknownVariableIsWrongUse) {
  write("[pipeline]\nlaunch=fakesrc num-buffers={n} ! fakesink\n[variable n]\ndefault=1\n");
  const Outcome outcome = run({pipeline(), "m=2"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err, "elf-launch: " + pipeline() + ": unknown variable 'm'; it has n\n");
}

TEST_F(ElfLaunch, AValueOutOfRangeIsOneLineNamingFileElementPropertyAndRange) {
  write(
      "[pipeline]\nlaunch=videotestsrc ! elfrppredict name=p coverage={c} ! elfoffload name=o "
      "deadline={d} ! fakesink\n[variable c]\ndefault=0.9\n[variable d]\ndefault=5\n");
  // GObject would tell the log, which ends a program here.
  g_setenv("G_DEBUG", "fatal-warnings", TRUE);
  const Outcome whole = run({pipeline(), "d=-5"});
  EXPECT_EQ(whole.code, 1);
  EXPECT_EQ(whole.err,
            "elf-launch: " + pipeline() + ": o: deadline can't be -5; it takes -1 to 2147483647\n");
  const Outcome real = run({pipeline(), "c=1.5"});
  EXPECT_EQ(real.code, 1);
  EXPECT_EQ(real.err,
            "elf-launch: " + pipeline() + ": p: coverage can't be 1.5; it takes 0.5 to 0.999\n");
  const Outcome word = run({pipeline(), "d=soon"});
  EXPECT_EQ(word.code, 1);
  EXPECT_EQ(word.err, "elf-launch: " + pipeline() +
                          ": o: deadline can't be soon; it takes -1 to 2147483647\n");
  g_unsetenv("G_DEBUG");
}

TEST_F(ElfLaunch, WithoutAServerOneWarningEveryFrameAndAnErrorAtTheEnd) {
  // Nobody listens at port 1.
  write(
      "[pipeline]\nlaunch=videotestsrc num-buffers=20 ! elfrppredict ! elfpartition ! elfoffload "
      "name=offload servers=http://127.0.0.1:1 ! elfmerge ! fakesink\n");
  const Outcome outcome = run({"--quiet", pipeline(), "--json=-"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(outcome.err.find(
                "elf-launch: warning: offload: No inference server is left: http://127.0.0.1:1: "),
            0U)
      << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with(
      "\nelf-launch: pipeline: no part of 20 frames was answered by a server\n"))
      << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 2) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["frames"], 20);
  EXPECT_EQ(json["errors"].size(), 1U);
}

TEST_F(ElfLaunch, RunsToTheEndAndSumsUp) {
  write(
      "[pipeline]\nlaunch=videotestsrc num-buffers={n} ! elfrppredict ! elfpartition ! elfmerge ! "
      "fakesink\n[variable n]\n");
  const Outcome outcome = run({pipeline(), "n=20", "--json", "-"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["frames"], 20);
  EXPECT_GT(json["fps"], 0);
  EXPECT_GT(json["latency_ms"]["mean"], 0);
  EXPECT_TRUE(json["errors"].empty());
}

TEST_F(ElfLaunch, CountsTheFramesOfASinkWhereThereIsNoElfmerge) {
  write("[pipeline]\nlaunch=fakesrc num-buffers=7 ! fakesink\n");
  const Outcome outcome = run({"--quiet", pipeline(), "--json=-"});
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["frames"], 7);
}

TEST_F(ElfLaunch, EndsAfterAsManyFramesAsAsked) {
  write(
      "[pipeline]\nlaunch=videotestsrc ! queue ! elfrppredict ! elfpartition ! elfmerge ! "
      "fakesink\n");
  const Outcome outcome = run({pipeline(), "--frames", "9", "--json=-"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["frames"], 9);
}

TEST_F(ElfLaunch, AsManyFramesAsThereCannotBeIsWrongUse) {
  write("[pipeline]\nlaunch=fakesrc num-buffers=7 ! fakesink\n");
  for (const char* frames : {"-7", "0"}) {
    const Outcome outcome = run({pipeline(), "--frames", frames});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.err, "elf-launch: --frames: is neither above 0 nor -1, all\n");
  }
  EXPECT_EQ(run({pipeline(), "--frames=-1"}).code, 0);
}

TEST_F(ElfLaunch, AnErrorIsOneLineNamingTheElement) {
  write("[pipeline]\nlaunch=filesrc name=reader location={f} ! fakesink\n[variable f]\n");
  const Outcome outcome = run({pipeline(), "f=/no/such/file", "--json=-"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "elf-launch: reader: Resource not found. (No such file \"/no/such/file\")\n");
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["errors"].size(), 1U);
}

TEST_F(ElfLaunch, ASummaryThatCannotBeWrittenIsAnErrorBeforeItRuns) {
  write("[pipeline]\nlaunch=fakesrc num-buffers=1 ! filesink location={out}\n[variable out]\n");
  const Outcome outcome = run({"--json", "/no/such/folder/x", pipeline(), "out=" + file("out")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "elf-launch: /no/such/folder/x: can't be written: No such file or directory\n");
  EXPECT_FALSE(g_file_test(file("out").c_str(), G_FILE_TEST_EXISTS));
}

TEST_F(ElfLaunch, AnInterruptEndsThePipelineSoThatFilesAreWhole) {
  write(
      "[pipeline]\nlaunch=videotestsrc is-live=true ! video/x-raw,width=64,height=48 ! elfmerge ! "
      "videoconvert ! jpegenc ! qtmux ! filesink location={out}\n[variable out]\n");
  Process process(command({pipeline(), "out=" + file("out"), "--json=-"}));
  ASSERT_TRUE(process.started());
  ASSERT_TRUE(process.waitForLine("running"));
  process.signal(SIGINT);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto frames = nlohmann::json::parse(outcome.out)["frames"].get<int>();

  // The index of a MOV file is written at its end, so only a whole one can be read.
  const Outcome read = [&] {
    write("[pipeline]\nlaunch=filesrc location={in} ! qtdemux ! fakesink\n[variable in]\n");
    return run({pipeline(), "in=" + file("out"), "--json=-"});
  }();
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_EQ(nlohmann::json::parse(read.out)["frames"], frames);
}

// The source holds its lock while elfoffload holds its frame.
TEST_F(ElfLaunch, ASilentServerIsReportedAndInterruptsEndTheRunThatWaitsForIt) {
  elf::testing::StubServer server;
  server.hold();
  write(
      "[pipeline]\nlaunch=videotestsrc num-buffers=1 ! video/x-raw,width=64,height=64 ! pngenc ! "
      "filesink location={out}\n[variable out]\n");
  ASSERT_EQ(run({pipeline(), "out=" + file("1.png")}).code, 0);
  Process process(command({"images", "input=" + file("%d.png"), "first=1",
                           "servers=" + server.url(), "results=" + file("results")}));
  ASSERT_TRUE(process.started());
  EXPECT_TRUE(process.waitForLine("has answered nothing for 5 s, though it is ready"));
  process.signal(SIGINT);
  EXPECT_TRUE(process.waitForLine("ending"));
  process.signal(SIGINT);
  EXPECT_TRUE(process.waitForLine("stopped"));
  EXPECT_EQ(process.finish().code, 1);
}

TEST_F(ElfLaunch, ASecondInterruptEndsItThoughAnElementDoesNotStop) {
  ASSERT_EQ(mkfifo(file("fifo").c_str(), 0600), 0);
  write("[pipeline]\nlaunch=filesrc location={in} ! fakesink\n[variable in]\n");
  Process process(command({pipeline(), "in=" + file("fifo")}));
  ASSERT_TRUE(process.started());
  // Returns when filesrc has opened it, which then reads for ever.
  const int writer = open(file("fifo").c_str(), O_WRONLY | O_CLOEXEC);
  process.signal(SIGTERM);
  EXPECT_TRUE(process.waitForLine("ending"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.finish().code, 1);
  close(writer);
}

}  // namespace
