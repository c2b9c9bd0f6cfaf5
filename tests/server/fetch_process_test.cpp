// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-server --fetch, as a user starts it.
#include <fcntl.h>
#include <glib.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "elf/base/checksum.h"
#include "elf/base/data_files.h"
#include "tests/support/file_server.h"
#include "tests/support/folder.h"
#include "tests/support/process.h"
#include "tests/support/shared_files.h"

namespace elf {
namespace {

namespace fs = std::filesystem;
using elf::testing::FileServer;
using elf::testing::HostedFile;
using elf::testing::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Request = FileServer::Request;
using Answer = FileServer::Answer;

using Words = std::vector<std::string>;

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

class FetchProcess : public ::testing::Test {
 protected:
  FetchProcess() { fs::create_directory(folder_.file("models")); }

  std::string there(const std::string& name) const {
    return folder_.file("home/elf/models/" + name);
  }
  bool isAnything() const {
    std::error_code none;
    return fs::directory_iterator(folder_.file("home/elf/models"), none) !=
           fs::directory_iterator();
  }

  std::string sumOf(const std::string& content) const {
    std::ofstream(folder_.file("summed"), std::ios::binary) << content;
    return sha256Of(folder_.file("summed"));
  }

  /** A model of one file, which is found by its name. */
  void model(const std::string& keys, const std::string& name = "net") const {
    std::ofstream(folder_.file("models/" + name + ".model"))
        << "[model]\nbackend=opencv-dnn\nfile=" << name << ".onnx\n"
        << keys << "\n[output]\ndecoder=yolox\n";
  }
  void pinned(const std::string& url, const std::string& content) const {
    model("licence=Made-1.0\nurl=" + url + "\nsha256=" + sumOf(content));
  }

  /** The words that run elf-server with folders of its own; all begin with env. */
  Words command(const Words& arguments, const Words& variables = {}) const {
    return Words{"/usr/bin/env",
                 "-u",
                 "no_proxy",
                 "-u",
                 "NO_PROXY",
                 "XDG_DATA_HOME=" + folder_.file("home"),
                 "ELF_MODEL_PATH=" + folder_.file("models") + ":" + getenv("ELF_TEST_SOURCE_ROOT") +
                     "/models"} +
           variables +
           Words{std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server"} +
           arguments;
  }
  static Outcome run(const Words& command) {
    return testing::run(command[0], {command.begin() + 1, command.end()});
  }
  Outcome fetch(const Words& more = {}, const Words& variables = {}) const {
    return run(command(Words{"--fetch", "net"} + more, variables));
  }

  const testing::Folder folder_;
};

void expectOneError(const Outcome& outcome) {
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, StartsWith("elf-server: "));
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
}

const HostedFile kFile{std::string(100'000, 'n')};

TEST_F(FetchProcess, TellsSizeAndLicenceAndThenWhereTheFileIs) {
  FileServer server(kFile);
  pinned(server.url("/net"), kFile.content);
  const Outcome first = fetch();
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.out, "net: 1 file, 100.0 kB from 127.0.0.1, licence Made-1.0\n" +
                           there("net.onnx") + ": 100.0 kB, sha256 as it must be\n");
  EXPECT_EQ(first.err, "");
  EXPECT_EQ(readFile(there("net.onnx")), kFile.content);
  const Outcome second = fetch();
  EXPECT_EQ(second.code, 0);
  EXPECT_EQ(second.out, there("net.onnx") + ": is there, 100.0 kB, sha256 as it must be\n");
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(FetchProcess, TakesAFileOfTheUsersAndTellsHowToPinIt) {
  model("");
  std::ofstream(folder_.file("mine")) << "net";
  const Outcome outcome = fetch({"--from", folder_.file("mine")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(
      outcome.out,
      AllOf(
          HasSubstr("net: 1 file, 3 bytes from " + folder_.file("mine") + ", licence not stated\n"),
          HasSubstr(folder_.file("models/net.model") + " would: sha256=" + sumOf("net") + "\n")));
  EXPECT_EQ(readFile(there("net.onnx")), "net");
}

TEST_F(FetchProcess, WrongUseIsToldFromFailure) {
  model("");
  for (const Words& wrong :
       {Words{"--fetch="}, Words{"--from=a"}, Words{"--fetch=net", "--from="},
        Words{"--fetch=net", "--model=simulated"}, Words{"--fetch=net", "--check=simulated"},
        Words{"--fetch=net", "stray"}}) {
    const Outcome outcome = run(command(wrong));
    EXPECT_EQ(outcome.code, 2) << wrong.back();
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
  }
  for (const Words& failing :
       {Words{"--fetch=nowhere"}, Words{"--fetch=simulated"}, Words{"--fetch=net"},
        Words{"--fetch=net", "--from=/nowhere"}, Words{"--fetch=net", "--from=a", "--from=b"}})
    expectOneError(run(command(failing)));
}

TEST_F(FetchProcess, GoesOnAfterACutConnection) {
  std::atomic<bool> cuts = true;
  FileServer server(
      [&](const Request& request) { return cuts ? kFile.begun(request, 40'000) : kFile(request); });
  pinned(server.url(), kFile.content);
  const Outcome cut = fetch();
  expectOneError(cut);
  EXPECT_THAT(cut.err, HasSubstr(there("net.onnx.part") + " keeps the first 40.0 kB"));
  EXPECT_FALSE(fs::exists(there("net.onnx")));
  cuts = false;
  const Outcome rest = fetch();
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_THAT(rest.out, HasSubstr("1 file, 100.0 kB (40.0 kB are there) from"));
  EXPECT_EQ(readFile(there("net.onnx")), kFile.content);
}

TEST_F(FetchProcess, WrongBytesAreAnErrorAndNotKept) {
  FileServer server(kFile);
  pinned(server.url(), "something else");
  const Outcome outcome = fetch();
  expectOneError(outcome);
  EXPECT_THAT(outcome.err, HasSubstr("has sha256"));
  EXPECT_FALSE(isAnything());
}

/** Ended in the middle of a file by this signal. */
class EndedFetch : public FetchProcess, public ::testing::WithParamInterface<int> {};

TEST_P(EndedFetch, CanBeGoneOnFrom) {
  std::atomic<bool> stalls = true;
  FileServer server([&](const Request& request) {
    return stalls ? kFile.begun(request, 40'000, true) : kFile(request);
  });
  pinned(server.url(), kFile.content);
  Words words = command({"--fetch", "net"});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  GPid pid = 0;
  gint err = -1;
  ASSERT_TRUE(g_spawn_async_with_pipes(
      nullptr, argv.data(), nullptr,
      static_cast<GSpawnFlags>(G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL), nullptr,
      nullptr, &pid, nullptr, nullptr, &err, nullptr));
  std::error_code none;
  while (fs::file_size(there("net.onnx.part"), none) != 40'000)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(pid, GetParam());
  std::string said;
  char block[256];
  for (ssize_t n = read(err, block, sizeof block); n > 0; n = read(err, block, sizeof block))
    said.append(block, static_cast<std::size_t>(n));
  close(err);
  int status = 0;
  waitpid(pid, &status, 0);
  if (GetParam() == SIGKILL) {
    EXPECT_TRUE(WIFSIGNALED(status));
  } else {
    EXPECT_EQ(WEXITSTATUS(status), 1);
    EXPECT_THAT(said, AllOf(HasSubstr("was interrupted"), HasSubstr("keeps the first 40.0 kB")));
  }
  EXPECT_FALSE(fs::exists(there("net.onnx")));
  stalls = false;
  EXPECT_THAT(fetch().out, HasSubstr("(40.0 kB are there)"));
  EXPECT_EQ(readFile(there("net.onnx")), kFile.content);
}
INSTANTIATE_TEST_SUITE_P(By, EndedFetch, ::testing::Values(SIGINT, SIGTERM, SIGHUP, SIGKILL));

/** A disk of its own, smaller than the file. */
class FullDisk : public FetchProcess {
 protected:
  /** With what is left there, in the end of `out`. */
  Outcome fetchIntoIt() const {
    return run(Words{"/usr/bin/env", "unshare", "--map-root-user", "--mount", "sh", "-c",
                     "mount -t tmpfs -o size=64k elf-test \"$0\" || exit 77; \"$@\"; code=$?; "
                     "echo left: $(find \"$0\" -type f); exit $code",
                     folder_.file("home")} +
               command({"--fetch", "net"}));
  }
  /** Whether there is no right to mount, or no program for it. */
  static bool isRefused(const Outcome& outcome) {
    return outcome.code == 77 || outcome.code == 127 || outcome.err.starts_with("unshare: ");
  }
  void SetUp() override { fs::create_directory(folder_.file("home")); }
};

TEST_F(FullDisk, IsToldBeforeAnythingIsWritten) {
  FileServer server(kFile);
  pinned(server.url(), kFile.content);
  const Outcome outcome = fetchIntoIt();
  if (isRefused(outcome)) GTEST_SKIP() << outcome.err;
  expectOneError(outcome);
  EXPECT_THAT(outcome.err, HasSubstr("has room for "));
  EXPECT_EQ(outcome.out, "left:\n");
}

TEST_F(FullDisk, IsToldWhenItIsFull) {
  // Nobody tells how large the file is.
  for (const std::string etag : {"", "ETag: \"one\"\r\n"}) {
    FileServer server([&](const Request&) {
      return Answer{"HTTP/1.1 200 OK\r\nConnection: close\r\n" + etag, kFile.content};
    });
    pinned(server.url(), kFile.content);
    const Outcome outcome = fetchIntoIt();
    if (isRefused(outcome)) GTEST_SKIP() << outcome.err;
    expectOneError(outcome);
    EXPECT_THAT(outcome.err,
                HasSubstr(there("net.onnx.part") + ": can't be written: No space left on device"));
    // What can be gone on from is kept, and the error says so.
    const bool isKept = !etag.empty();
    EXPECT_EQ(outcome.err.find("keeps the first") != outcome.err.npos, isKept) << outcome.err;
    EXPECT_EQ(outcome.out.ends_with("\nleft:\n"), !isKept) << outcome.out;
    EXPECT_FALSE(outcome.out.find("net.onnx\n") != outcome.out.npos) << outcome.out;
  }
}

TEST_F(FetchProcess, WhatCannotBeWrittenWholeIsNotWritten) {
  model("");
  std::ofstream(folder_.file("mine")) << kFile.content;
  // No file may be larger than 80 blocks of 512 bytes.
  const Outcome outcome =
      run(Words{"/bin/sh", "-c", "trap '' XFSZ; ulimit -f 80; exec \"$0\" \"$@\""} +
          command({"--fetch", "net", "--from", folder_.file("mine")}));
  expectOneError(outcome);
  EXPECT_THAT(outcome.err,
              HasSubstr(there("net.onnx.part") + ": can't be written: File too large"));
  EXPECT_FALSE(isAnything());
}

TEST_F(FetchProcess, AsksTheProxyOfTheEnvironmentForOtherMachinesAlone) {
  FileServer proxy(
      [](const Request&) { return Answer{"HTTP/1.1 403 Not for you\r\nContent-Length: 0\r\n"}; });
  FileServer server(kFile);
  const Words variables{"https_proxy=" + proxy.url(), "http_proxy=" + proxy.url()};
  pinned("https://models.invalid/net", kFile.content);
  const Outcome refused = fetch({}, variables);
  expectOneError(refused);
  EXPECT_THAT(refused.err, HasSubstr("https://models.invalid/net: "));
  ASSERT_EQ(proxy.requests().size(), 1U);
  EXPECT_THAT(proxy.requests()[0].line, StartsWith("CONNECT models.invalid:443 "));
  const Outcome direct = fetch({"--from", server.url()}, variables);
  EXPECT_EQ(direct.code, 0) << direct.err;
  EXPECT_EQ(proxy.requests().size(), 1U);
}

TEST_F(FetchProcess, ShowsOnATerminalHowFarItIs) {
  FileServer server(kFile);
  pinned(server.url(), kFile.content);
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
    GTEST_SKIP() << "no pseudo-terminals here";
  const Outcome outcome = run(Words{"/bin/sh", "-c", "exec \"$@\" 2>\"$0\"", ptsname(terminal)} +
                              command({"--fetch", "net"}));
  std::string shown(4096, '\0');
  shown.resize(
      static_cast<std::size_t>(std::max<ssize_t>(read(terminal, shown.data(), shown.size()), 0)));
  close(terminal);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(shown, AllOf(HasSubstr("\r\033[Knet.onnx: "), HasSubstr(" of 100.0 kB, "),
                           HasSubstr(" %"), ::testing::EndsWith("\r\033[K")));
  EXPECT_THAT(outcome.out, StartsWith("net: 1 file, "));
}

TEST_F(FetchProcess, NothingIsDownloadedUnasked) {
  FileServer server(kFile);
  pinned(server.url(), kFile.content);
  for (const Words& other : {Words{"--model", "net", "--port", "0"}, Words{"--check", "net"}}) {
    const Outcome outcome = run(command(other));
    expectOneError(outcome);
    EXPECT_THAT(outcome.err, HasSubstr("elf-server --fetch "));
  }
  EXPECT_THAT(run(command({"--list"})).out, HasSubstr("'net.onnx' is in none of "));
  EXPECT_EQ(server.requests().size(), 0U);
  fetch();
  EXPECT_THAT(run(command({"--list"})).out,
              ::testing::ContainsRegex("\nnet +detection +opencv-dnn +there\n"));
}

TEST_F(FetchProcess, NamesTheDetectorThatIsStillMissing) {
  model("");
  std::ofstream(folder_.file("models/joints.model"))
      << "[model]\nbackend=opencv-dnn\nfile=joints.onnx\ntask=keypoints\ndetector=net\n"
         "[input]\nsize=192;256\n[output]\ndecoder=heat-maps\nkeypoints=2\n";
  std::ofstream(folder_.file("mine")) << "joints";
  const Outcome outcome = run(command({"--fetch", "joints", "--from", folder_.file("mine")}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("its detector is still missing: elf-server --fetch net\n"));
}

TEST_F(FetchProcess, AShippedNetworkRunsThen) {
  const std::string weights = testing::sharedFile("models/yolox_nano.onnx");
  if (!fs::exists(weights)) GTEST_SKIP() << "no shared models in " << getenv("ELF_TEST_SHARED");
  const Outcome fetched = run(command({"--fetch", "yolox-nano", "--from", weights}));
  EXPECT_EQ(fetched.code, 0) << fetched.err;
  EXPECT_THAT(fetched.out, AllOf(HasSubstr("licence Apache-2.0"), HasSubstr("as it must be")));
  const Outcome checked =
      run(command({"--check", "yolox-nano", "--output", folder_.file("checked.png")}));
  EXPECT_EQ(checked.code, 0) << checked.err;
}

}  // namespace
}  // namespace elf
