// SPDX-License-Identifier: LGPL-2.1-or-later
// elfoffload and servers that have to be trusted, or that want to know whom they serve.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/bus.h"
#include "tests/support/certificates.h"
#include "tests/support/folder.h"
#include "tests/support/harness.h"
#include "tests/support/log.h"
#include "tests/support/stub_server.h"

namespace elf::gst {
namespace {

using elf::testing::BusOf;
using elf::testing::Certificates;
using elf::testing::Folder;
using elf::testing::Harness;
using elf::testing::LogOf;
using elf::testing::StubServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kToken = "secret";

/** A file with the token. */
std::string tokenIn(const Folder& folder) {
  std::ofstream(folder.file("token")) << kToken << "\n";
  return folder.file("token");
}

/** What became of the only part of a frame. */
PartAnswer answerOf(Harness& harness) {
  harness.setVideo(64, 48);
  EXPECT_EQ(harness.push(harness.frame(0)), GST_FLOW_OK);
  GstBuffer* buffer = harness.pull();
  const FrameRecordPtr record = getRecord(buffer);
  gst_buffer_unref(buffer);
  return record->answers.at(0);
}

void restart(Harness& harness, BusOf& bus) {
  gst_element_set_state(harness.element(), GST_STATE_NULL);
  bus.forget();
  gst_element_set_state(harness.element(), GST_STATE_PLAYING);
}

class OffloadHttps : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!certificates_.made()) GTEST_SKIP() << "openssl 3 is needed to make certificates";
  }
  const Certificates certificates_;
  const Folder folder_;
};

TEST_F(OffloadHttps, FramesAreAnsweredByAServerThatAsksForCertificateAndToken) {
  StubServer server(
      {.certificate = certificates_.server(), .clientCa = certificates_.ca(), .token = kToken});
  Harness harness("elfoffload deadline=20000 servers=" + server.url() + " ca-file=" +
                  certificates_.ca() + " client-certificate=" + certificates_.clientCertificate() +
                  " client-key=" + certificates_.clientKey() + " token-file=" + tokenIn(folder_));
  EXPECT_EQ(answerOf(harness).error, "");
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(OffloadHttps, ACertificateThatIsNotTrustedIsOneWarningThatNamesTheServerAndTheReason) {
  StubServer server({.certificate = certificates_.server()});
  Harness harness("elfoffload servers=" + server.url() + " ca-file=" + certificates_.stranger());
  BusOf bus(harness.element());
  restart(harness, bus);
  EXPECT_EQ(answerOf(harness).state, AnswerState::Failed);
  EXPECT_THAT(bus.text(GST_MESSAGE_WARNING),
              AllOf(HasSubstr(server.url()), HasSubstr("certificate"), HasSubstr("unknown-ca")));
  EXPECT_FALSE(bus.has(GST_MESSAGE_WARNING));
  EXPECT_EQ(server.requests(), 0);
}

TEST(OffloadToken, AFileWithoutATokenIsOneErrorThatNamesPropertyAndFile) {
  const Folder folder;
  std::ofstream(folder.file("empty")) << "\n";
  for (const std::string& file : {folder.file("empty"), folder.file("absent")}) {
    GstElement* offload = gst_parse_launch(
        ("elfoffload servers=http://127.0.0.1:1 token-file=" + file).c_str(), nullptr);
    BusOf bus(offload);
    EXPECT_EQ(gst_element_set_state(offload, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_THAT(bus.text(GST_MESSAGE_ERROR), AllOf(HasSubstr("token-file: "), HasSubstr(file)));
    EXPECT_FALSE(bus.has(GST_MESSAGE_ERROR));
    gst_element_set_bus(offload, nullptr);
    gst_element_set_state(offload, GST_STATE_NULL);
    gst_object_unref(offload);
  }
}

TEST(OffloadToken, IsReadAtTheStart) {
  const Folder folder;
  StubServer server({.token = kToken});
  std::ofstream(folder.file("token")) << "old";
  Harness harness("elfoffload servers=" + server.url() + " token-file=" + folder.file("token"));
  EXPECT_THAT(answerOf(harness).error, HasSubstr(server.url()));
  gst_element_set_state(harness.element(), GST_STATE_NULL);
  tokenIn(folder);
  gst_element_set_state(harness.element(), GST_STATE_PLAYING);
  EXPECT_EQ(answerOf(harness).error, "");
}

TEST(OffloadToken, IsInNoLogStatsOrMessage) {
  const Folder folder;
  StubServer server({.token = kToken});
  LogOf log("elfoffload");
  {
    Harness harness("elfoffload servers=" + server.url() + " token-file=" + tokenIn(folder));
    EXPECT_EQ(answerOf(harness).error, "");
    GstStructure* stats = nullptr;
    g_object_get(harness.element(), "stats", &stats, nullptr);
    gchar* text = gst_structure_to_string(stats);
    EXPECT_THAT(text, Not(HasSubstr(kToken)));
    g_free(text);
    gst_structure_free(stats);
  }
  EXPECT_FALSE(log.with("servers " + server.url()).empty());
  EXPECT_TRUE(log.with(kToken).empty());
}

TEST(OffloadToken, AWarningTellsOfOneThatGoesToAnotherMachineInClear) {
  const Folder folder;
  GstElement* offload = gst_parse_launch(
      // No machine has it: it is for documentation.
      ("elfoffload servers=http://192.0.2.1:8000 token-file=" + tokenIn(folder)).c_str(), nullptr);
  BusOf bus(offload);
  gst_element_set_state(offload, GST_STATE_PAUSED);
  EXPECT_THAT(bus.text(GST_MESSAGE_WARNING),
              AllOf(HasSubstr("token-file: "), HasSubstr("http://192.0.2.1:8000")));
  gst_element_set_bus(offload, nullptr);
  gst_element_set_state(offload, GST_STATE_NULL);
  gst_object_unref(offload);
}

}  // namespace
}  // namespace elf::gst
