// SPDX-License-Identifier: LGPL-2.1-or-later
// The program elf-server, as a user starts it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libsoup/soup.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>

#include "elf/base/error.h"
#include "elf/server/local_server.h"
#include "tests/support/process.h"

namespace elf {
namespace {

using ::testing::HasSubstr;

std::string program() {
  return std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server";
}

using testing::Outcome;

Outcome run(std::vector<std::string> arguments) {
  return testing::run(program(), std::move(arguments));
}

TEST(ElfServer, ListensServesAndEndsWithSuccessOnSigterm) {
  LocalServer server({.program = program(), .core = 0});
  SoupSession* session = soup_session_new();
  SoupMessage* message = soup_message_new("GET", (server.url() + "/v2/models/hog").c_str());
  GBytes* got = soup_session_send_and_read(session, message, nullptr, nullptr);
  ASSERT_NE(got, nullptr);
  EXPECT_EQ(soup_message_get_status(message), 200U);
  g_bytes_unref(got);
  g_object_unref(message);
  g_object_unref(session);
  kill(server.pid(), SIGTERM);
  siginfo_t info{};
  // Left for the LocalServer to reap.
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(server.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_code, CLD_EXITED);
  EXPECT_EQ(info.si_status, 0);
}

TEST(ElfServer, ExitCodesTellWrongUseFromFailure) {
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_THAT(run({"--version"}).out, HasSubstr("elf-server "));
  EXPECT_THAT(run({"--list"}).out, HasSubstr("hog\n"));
  for (const char* wrong : {"--nonsense", "--port=70000", "--threads=0", "--queue=-1", "--model=", "stray"}) {
    const Outcome outcome = run({wrong});
    EXPECT_EQ(outcome.code, 2) << wrong;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  const Outcome failed = run({"--port=0", "--model=nowhere"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.err, HasSubstr("nowhere"));
  EXPECT_EQ(run({"--port=0", "--bind=nowhere"}).code, 1);
}

TEST(LocalServer, NamesAProgramThatCannotBeStartedOrEndsAtOnce) {
  EXPECT_THROW(LocalServer({.program = "/nowhere/elf-server"}), Error);
  EXPECT_THROW(LocalServer({.program = program(), .arguments = {"--version"}}), Error);
  EXPECT_THROW(LocalServer({.program = program(), .arguments = {"--model", "nowhere"}}), Error);
}

}  // namespace
}  // namespace elf
