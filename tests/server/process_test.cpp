// SPDX-License-Identifier: LGPL-2.1-or-later
// The program elf-server, as a user starts it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libsoup/soup.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "elf/base/error.h"
#include "elf/server/local_server.h"
#include "tests/support/folder.h"
#include "tests/support/hog.h"
#include "tests/support/process.h"

namespace elf {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

std::string program() {
  return std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server";
}

using testing::Outcome;

/** Where it does not matter what is served. */
const std::vector<std::string> kAnyModel{"--model", "simulated"};

std::vector<std::string> withAnyModel(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), kAnyModel.begin(), kAnyModel.end());
  return arguments;
}

Outcome run(std::vector<std::string> arguments) {
  return testing::run(program(), std::move(arguments));
}

/** Of a GET with this Authorization header; empty: with none. */
guint statusOf(const std::string& url, const std::string& authorization) {
  SoupSession* session = soup_session_new();
  SoupMessage* message = soup_message_new("GET", url.c_str());
  if (!authorization.empty())
    soup_message_headers_append(soup_message_get_request_headers(message), "Authorization",
                                authorization.c_str());
  GBytes* got = soup_session_send_and_read(session, message, nullptr, nullptr);
  const guint status = got ? soup_message_get_status(message) : 0;
  g_clear_pointer(&got, g_bytes_unref);
  g_object_unref(message);
  g_object_unref(session);
  return status;
}

TEST(ElfServer, ListensServesAndEndsWithSuccessOnSigterm) {
  LocalServer server({.program = program(), .arguments = kAnyModel, .core = 0});
  EXPECT_EQ(statusOf(server.url() + "/v2/models/simulated", ""), 200U);
  kill(server.pid(), SIGTERM);
  siginfo_t info{};
  // Left for the LocalServer to reap.
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(server.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_code, CLD_EXITED);
  EXPECT_EQ(info.si_status, 0);
}

TEST(ElfServer, ServesHogByDefaultAndNeedsNoFileForIt) {
  if (!hasHog()) GTEST_SKIP() << testing::kNoHog;
  const LocalServer server({.program = program()});
  EXPECT_EQ(statusOf(server.url() + "/v2/models/hog", ""), 200U);
  EXPECT_THAT(run({"--list"}).out, ContainsRegex("\nhog .* no file needed\n"));
}

TEST(ElfServer, ExitCodesTellWrongUseFromFailure) {
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_THAT(run({"--version"}).out, HasSubstr("elf-server "));
  EXPECT_THAT(run({"--list"}).out, ContainsRegex("\nsimulated .* no file needed\n"));
  for (const char* wrong : {"--nonsense", "--port=70000", "--threads=0", "--queue=-1", "--model=",
                            "--tls-cert=a", "--client-ca=a", "stray", "--bind=", "--token-file=",
                            "--tls-cert=", "--tls-key=", "--client-ca=", "--log=", "--json="}) {
    const Outcome outcome = run({wrong});
    EXPECT_EQ(outcome.code, 2) << wrong;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  const Outcome failed = run({"--port=0", "--model=nowhere"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.err, HasSubstr("nowhere"));
  EXPECT_EQ(run(withAnyModel({"--port=0", "--bind=nowhere"})).code, 1);
}

TEST(ElfServer, ReadsATokenWithoutTheBlanksAroundIt) {
  const testing::Folder folder;
  const std::string file = folder.file("token");
  std::ofstream(file) << " secret\r\n\n";
  const LocalServer server(
      {.program = program(), .arguments = withAnyModel({"--token-file", file})});
  EXPECT_EQ(statusOf(server.url() + "/v2", ""), 401U);
  EXPECT_EQ(statusOf(server.url() + "/v2", "Bearer secret"), 200U);
}

TEST(ElfServer, RefusesATokenFileThatHoldsNone) {
  const testing::Folder folder;
  for (const char* text : {"", " \n", "two words\n", "\x01\n"}) {
    std::ofstream(folder.file("token")) << text;
    const Outcome outcome = run(withAnyModel({"--port=0", "--token-file", folder.file("token")}));
    EXPECT_EQ(outcome.code, 1) << text;
    EXPECT_THAT(outcome.err, HasSubstr(folder.file("token")));
  }
  EXPECT_EQ(run(withAnyModel({"--port=0", "--token-file", folder.file("none")})).code, 1);
}

TEST(ElfServer, ServesSeveralModelsAndLogsRequestsToAFile) {
  const testing::Folder folder;
  const std::string file = folder.file("log"), other = folder.file("other.model");
  std::ofstream(other) << "[model]\nbackend=simulated\n";
  {
    const LocalServer server(
        {.program = program(), .arguments = {"-m", other, "-m", "simulated", "--log", file}});
    EXPECT_EQ(statusOf(server.url() + "/v2/models/other", ""), 200U);
    EXPECT_EQ(statusOf(server.url() + "/v2/models/simulated", ""), 200U);
  }
  std::ifstream in(file);
  std::string line;
  for (const char* model : {"other", "simulated"}) {
    ASSERT_TRUE(std::getline(in, line));
    EXPECT_EQ(nlohmann::json::parse(line)["model"], model);
  }
  EXPECT_FALSE(std::getline(in, line));
}

TEST(ElfServer, BeginsANewLineInALogWhoseLastLineWasCutOff) {
  const testing::Folder folder;
  const std::string file = folder.file("log");
  std::ofstream(file) << "{\"bytes_in\":0,\"me";
  {
    const LocalServer server({.program = program(), .arguments = withAnyModel({"--log", file})});
    EXPECT_EQ(statusOf(server.url() + "/v2/next", ""), 404U);
  }
  std::ifstream in(file);
  std::string torn, line;
  ASSERT_TRUE(std::getline(in, torn) && std::getline(in, line));
  EXPECT_EQ(torn, "{\"bytes_in\":0,\"me");
  EXPECT_EQ(nlohmann::json::parse(line)["path"], "/v2/next");
}

TEST(ElfServer, GoesOnWithItsLogAfterALineThatCouldNotBeWritten) {
  const testing::Folder folder;
  const std::string file = folder.file("log");
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  const auto openToRead = [&] { return open(file.c_str(), O_RDONLY | O_NONBLOCK); };
  int reader = openToRead();
  std::string read(4096, '\0');
  {
    const LocalServer server({.program = program(), .arguments = withAnyModel({"--log", file})});
    close(reader);
    // It is done with the line of the first when it answers the second.
    for (const char* path : {"/v2/lost", "/v2/lost"})
      EXPECT_EQ(statusOf(server.url() + path, ""), 404U);
    reader = openToRead();
    EXPECT_EQ(statusOf(server.url() + "/v2/kept", ""), 404U);
  }
  read.resize(static_cast<std::size_t>(::read(reader, read.data(), read.size())));
  close(reader);
  EXPECT_THAT(read, HasSubstr("/v2/kept"));
  EXPECT_EQ(read.back(), '\n');
}

/** What it says on standard error until it listens and is asked to end. */
std::string warningsOf(std::vector<std::string> arguments) {
  arguments = withAnyModel(std::move(arguments));
  arguments.insert(arguments.begin(), {program(), "--port", "0"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  GPid pid = 0;
  gint out = -1, err = -1;
  if (!g_spawn_async_with_pipes(nullptr, argv.data(), nullptr, G_SPAWN_DO_NOT_REAP_CHILD, nullptr,
                                nullptr, &pid, nullptr, &out, &err, nullptr))
    return "was not started";
  char listening = 0;
  EXPECT_EQ(read(out, &listening, 1), 1);
  kill(pid, SIGTERM);
  std::string said;
  char block[256];
  for (ssize_t n = read(err, block, sizeof block); n > 0; n = read(err, block, sizeof block))
    said.append(block, static_cast<std::size_t>(n));
  close(out);
  close(err);
  waitpid(pid, nullptr, 0);
  return said;
}

TEST(ElfServer, WarnsWhereOtherMachinesAreServedWithoutAToken) {
  const testing::Folder folder;
  std::ofstream(folder.file("token")) << "secret";
  EXPECT_THAT(warningsOf({"--bind", "0.0.0.0"}), HasSubstr("warning: 0.0.0.0"));
  EXPECT_EQ(warningsOf({"--bind", "0.0.0.0", "--token-file", folder.file("token")}), "");
  EXPECT_EQ(warningsOf({"--bind", "127.0.0.1"}), "");
}

TEST(ElfServer, AnnouncesOnlyWhatOtherMachinesReach) {
  const Outcome outcome = run(withAnyModel({"--port", "0", "--announce"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("--announce: other machines cannot reach 127.0.0.1"));
}

TEST(LocalServer, NamesAProgramThatCannotBeStartedOrEndsAtOnce) {
  EXPECT_THROW(LocalServer({.program = "/nowhere/elf-server"}), Error);
  EXPECT_THROW(LocalServer({.program = program(), .arguments = {"--version"}}), Error);
  EXPECT_THROW(LocalServer({.program = program(), .arguments = {"--model", "nowhere"}}), Error);
}

}  // namespace
}  // namespace elf
