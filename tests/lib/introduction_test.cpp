// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/introduction.h"

#include <gtest/gtest.h>

namespace elf {
namespace {

using Kind = Introduction::Step::Kind;
using Status = ServerReply::Status;

ModelMetadataReply elfMetadata() {
  ModelMetadataReply reply;
  reply.metadata.takesRaw = true;
  reply.metadata.rules.emplace().labels = {"person"};
  return reply;
}

ModelMetadataReply refused(Status status) {
  ModelMetadataReply reply;
  reply.status = status;
  reply.error = "no";
  return reply;
}

class IntroductionTest : public ::testing::Test {
 protected:
  OffloadSettings settings_{.servers = {}, .model = "hog", .localRules = {}};
};

TEST_F(IntroductionTest, AnElfServerTellsAllInItsMetadata) {
  Introduction introduction(settings_);
  EXPECT_FALSE(introduction.known());
  EXPECT_EQ(introduction.onModelMetadata(elfMetadata(), true).kind, Kind::Done);
  EXPECT_TRUE(introduction.known());
  EXPECT_TRUE(introduction.profile().takesRaw);
  EXPECT_TRUE(introduction.profile().takesBinary);
  EXPECT_EQ(introduction.profile().rules->labels, Labels({"person"}));
}

TEST_F(IntroductionTest, AnotherServerIsAskedForItsExtensions) {
  Introduction introduction(settings_);
  EXPECT_EQ(introduction.onModelMetadata({}, true).kind, Kind::AskServer);
  EXPECT_FALSE(introduction.known());
  ServerMetadataReply server;
  server.takesBinary = server.mayTakeBinaryNumbers = false;
  EXPECT_EQ(introduction.onServerMetadata(server).kind, Kind::Done) << "it takes pictures";
  EXPECT_FALSE(introduction.profile().takesBinary);
  EXPECT_TRUE(introduction.known());
}

TEST_F(IntroductionTest, AServerThatHasToHaveTheModelMissesIt) {
  const auto step = Introduction(settings_).onModelMetadata(refused(Status::NotFound), true);
  EXPECT_EQ(step.kind, Kind::Missing);
  EXPECT_EQ(step.what, "has no model 'hog'");
  EXPECT_EQ(step.why, "no");
}

TEST_F(IntroductionTest, OneThatCameLaterOrHadTheModelMayYetGetIt) {
  EXPECT_EQ(Introduction(settings_).onModelMetadata(refused(Status::NotFound), false).kind,
            Kind::Failed);
  Introduction known(settings_);
  known.onModelMetadata(elfMetadata(), true);
  EXPECT_EQ(known.onModelMetadata(refused(Status::NotFound), true).kind, Kind::Failed);
}

TEST_F(IntroductionTest, OtherFaultsAreNoMissingModel) {
  for (const Status status : {Status::Unreachable, Status::Busy, Status::Refused, Status::Failed})
    EXPECT_EQ(Introduction(settings_).onModelMetadata(refused(status), true).kind, Kind::Failed);
}

TEST_F(IntroductionTest, AMissingVersionIsToldWithThoseThereAre) {
  settings_.version = "7";
  Introduction introduction(settings_);
  const auto step = introduction.onModelMetadata(refused(Status::NotFound), true);
  ASSERT_EQ(step.kind, Kind::AskVersions);
  EXPECT_EQ(introduction.onVersions(refused(Status::NotFound), step.why).what,
            "has no model 'hog'");
  ModelMetadataReply others;
  others.metadata.versions = {"1", "2"};
  const auto missing = introduction.onVersions(others, step.why);
  EXPECT_EQ(missing.kind, Kind::Missing);
  EXPECT_EQ(missing.what, "has no version '7' of model 'hog'; it has 1, 2");
  EXPECT_EQ(missing.why, "no");
}

}  // namespace
}  // namespace elf
