// SPDX-License-Identifier: LGPL-2.1-or-later
// All four elements with a server of others that runs a network as its exporter made it.
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "elf/server/inference_model.h"
#include "elf/server/server.h"
#include "tests/support/bus.h"
#include "tests/support/elf_pipeline.h"
#include "tests/support/folder.h"
#include "tests/support/near.h"
#include "tests/support/network_server.h"

namespace elf::gst {
namespace {

using elf::testing::blobNetwork;
using elf::testing::expectNear;
using elf::testing::Folder;
using elf::testing::kBall;
using elf::testing::kBlobSide;
using elf::testing::kFrames;
using elf::testing::kSink;
using elf::testing::NetworkServer;
using elf::testing::NetworkServerOptions;
using elf::testing::Pipeline;

constexpr std::size_t kValues = std::size_t{3} * kBlobSide * kBlobSide;

std::string offload(const std::string& servers, const std::string& properties = "") {
  return "elfoffload model=blob servers=" + servers + " " + properties;
}

std::vector<FrameRecord> run(const std::string& elements) {
  Pipeline pipeline(kBall + " ! " + elements + " ! elfmerge ! " + kSink);
  pipeline.play();
  return pipeline.all();
}

std::vector<FrameRecord> runWhole(const std::string& server) {
  return run(offload(server, "encoding=raw"));
}

std::vector<FrameRecord> runElf(const std::string& servers) {
  return run("elfrppredict ! elfpartition ! " + offload(servers));
}

/** An elf-server that runs the same file. */
std::unique_ptr<Server> startOurs() {
  return std::make_unique<Server>(std::vector<ModelFactory>{[] {
                                    return InferenceModel::create(loadModelFile(blobNetwork()));
                                  }},
                                  ServerOptions{});
}

const Detection& ball(const FrameRecord& record) {
  static const Detection none;
  EXPECT_EQ(record.detections.size(), 1U) << "frame " << record.id;
  return record.detections.empty() ? none : record.detections[0];
}

struct Kind {
  const char* name;
  NetworkServerOptions options;
  double tolerance;
};

class ElfNetworks : public ::testing::TestWithParam<Kind> {};

TEST_P(ElfNetworks, SayWhatElfServerSaysWithTheSameNetwork) {
  const auto ours = startOurs();
  const NetworkServer theirs(blobNetwork(), GetParam().options);
  const auto mine = runWhole(ours->url()), other = runWhole(theirs.url());
  ASSERT_EQ(mine.size(), static_cast<std::size_t>(kFrames));
  ASSERT_EQ(other.size(), mine.size());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    SCOPED_TRACE("frame " + std::to_string(i));
    const Detection &a = ball(mine[i]), &b = ball(other[i]);
    expectNear(b.box, a.box, GetParam().tolerance);
    EXPECT_NEAR(b.score, a.score, 1e-3);
    EXPECT_EQ(b.labelId, a.labelId);
    EXPECT_FALSE(b.coasted);
  }
}

TEST_P(ElfNetworks, FindTheBallInPartsAndTheirBytesAreTold) {
  const NetworkServer theirs(blobNetwork(), GetParam().options);
  const auto records = runElf(theirs.url() + "," + theirs.url());
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  const std::size_t bytes = kValues * wire::elementSize(GetParam().options.type);
  bool parts = false;
  for (const FrameRecord& record : records) {
    EXPECT_FALSE(ball(record).coasted);
    EXPECT_NEAR(ball(record).box.width(), ball(records[0]).box.width(), 5) << record.id;
    EXPECT_EQ(ball(record).id, ball(records[0]).id);
    parts = parts || record.plan->parts.empty() || record.plan->parts[0].kind != PartKind::Full;
    const auto requests = static_cast<std::size_t>(record.requestsSent());
    if (GetParam().options.binary)
      EXPECT_EQ(record.bytesSent(), bytes * requests);
    else
      EXPECT_GE(record.bytesSent(), bytes / 4 * requests);
    EXPECT_GT(record.wholeBytes, 0U);
  }
  EXPECT_TRUE(parts) << "only whole frames were sent";
}

INSTANTIATE_TEST_SUITE_P(
    Of, ElfNetworks,
    ::testing::Values(
        Kind{"Fp32", {}, 1e-3}, Kind{"Fp16", {.type = wire::DataType::Fp16}, 0.5},
        Kind{"Uint8ChannelsLast", {.type = wire::DataType::Uint8, .channelsLast = true}, 1e-3},
        Kind{"Fp32ChannelsLast", {.channelsLast = true}, 1e-3},
        Kind{"Json", {.binary = false}, 1e-3}),
    [](const auto& kind) { return kind.param.name; });

TEST(ElfNetworksInParts, AgreeWithElfServer) {
  const auto ours = startOurs();
  const NetworkServer theirs(blobNetwork());
  const auto mine = runElf(ours->url()), other = runElf(theirs.url());
  ASSERT_EQ(mine.size(), other.size());
  for (std::size_t i = 0; i < mine.size(); ++i)
    EXPECT_GT(iou(ball(mine[i]).box, ball(other[i]).box), 0.85) << "frame " << i;
}

TEST(ElfNetworksTogether, AnElfServerBesideThemGetsPicturesOfTheSameFrames) {
  const auto ours = startOurs();
  const NetworkServer theirs(blobNetwork());
  const auto records =
      run("elfrppredict ! elfpartition ! " + offload(theirs.url() + "," + ours->url()));
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kFrames));
  for (const FrameRecord& record : records) EXPECT_FALSE(ball(record).coasted);
}

/** Makes a folder with a `blob.model` the only one that models are looked for in. */
class LocalFile {
 public:
  explicit LocalFile(const std::string& text) {
    std::ofstream(folder_.file("blob.model")) << text;
    g_setenv("ELF_MODEL_PATH", folder_.path().c_str(), TRUE);
  }
  ~LocalFile() { g_setenv("ELF_MODEL_PATH", before_.c_str(), TRUE); }

 private:
  const std::string before_ = g_getenv("ELF_MODEL_PATH");
  Folder folder_;
};

TEST(ElfNetworksWithEmptyMetadata, AreWhatALocalFileSays) {
  const auto ours = startOurs();
  const LocalFile file(
      "[model]\nbackend=remote\nlabels=ball;other\n[input]\nsize=160;160\n[output]\n"
      "decoder=yolov8\n[tensors]\nimage=images\n");
  const NetworkServer theirs(blobNetwork(), {.tells = false});
  for (const FrameRecord& record : runElf(theirs.url())) {
    EXPECT_FALSE(ball(record).coasted);
    EXPECT_EQ(ball(record).label, "ball");
  }
  for (const FrameRecord& record : runElf(ours->url())) EXPECT_FALSE(ball(record).coasted);
}

TEST(ElfNetworksWithEmptyMetadata, NeedASize) {
  const LocalFile file("[model]\nbackend=remote\n[output]\ndecoder=yolov8\n");
  const NetworkServer theirs(blobNetwork(), {.tells = false});
  Pipeline pipeline(kBall + " ! " + offload(theirs.url()) + " ! elfmerge ! " + kSink);
  pipeline.play();
  GstMessage* message = pipeline.await(GST_MESSAGE_WARNING);
  ASSERT_TRUE(message);
  GError* error = nullptr;
  gst_message_parse_warning(message, &error, nullptr);
  EXPECT_EQ(std::string(error->message),
            "No inference server is left: " + theirs.url() +
                ": its metadata: they tell no size of pictures (say [input] size or multiple-of in "
                "a .model file)");
  g_error_free(error);
  gst_message_unref(message);
}

}  // namespace
}  // namespace elf::gst
