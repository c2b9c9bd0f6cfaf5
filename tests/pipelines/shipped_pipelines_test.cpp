// SPDX-License-Identifier: LGPL-2.1-or-later
// Each .pipeline file that comes along, run by elf-launch with real models on real clips.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/folder.h"
#include "tests/support/hog.h"
#include "tests/support/shipped.h"
#ifdef ELF_HAVE_RTSP_SERVER
#include "tests/support/rtsp_server.h"
#endif

namespace {

using elf::testing::linesOf;
using elf::testing::Outcome;
using elf::testing::sharedFile;
using elf::testing::startServers;
using elf::testing::urlsOf;
namespace fs = std::filesystem;

constexpr int kFrames = 4;

Outcome launch(const std::string& name, const std::vector<std::string>& values) {
  return elf::testing::launch(kFrames, name, values);
}

struct Application {
  const char* pipeline;
  const char* model;
  /** Of the weights, in ../shared/data/models; empty: needs none. */
  const char* weights;
  const char* clip;
  /** What the first detection has besides its box; empty: nothing. */
  const char* shape;
};

class ShippedApplication : public ::testing::TestWithParam<Application> {
 protected:
  elf::testing::Folder folder_;
};

TEST_P(ShippedApplication, WritesAVideoAndFindsSomethingInEachFrame) {
  const Application& application = GetParam();
  const std::string clip = sharedFile(std::string("clips/") + application.clip);
  if (!fs::exists(clip)) GTEST_SKIP() << "no " << application.clip << " in ../shared/data/clips";
  if (*application.weights && !fs::exists(sharedFile(std::string("models/") + application.weights)))
    GTEST_SKIP() << "no " << application.weights << " in ../shared/data/models";
  if (application.model == std::string("hog") && !elf::hasHog())
    GTEST_SKIP() << elf::testing::kNoHog;
  const auto servers = startServers(application.model);
  const std::string video = folder_.file("out.mp4"), results = folder_.file("results.jsonl");
  const Outcome outcome = launch(application.pipeline, {"input=" + clip, urlsOf(servers),
                                                        "output=" + video, "results=" + results});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_GT(fs::file_size(video), 1000U);
  const auto lines = linesOf(results);
  ASSERT_GE(lines.size(), static_cast<std::size_t>(kFrames));
  for (const auto& line : lines) {
    ASSERT_FALSE(line["detections"].empty()) << line;
    const auto& first = line["detections"][0];
    if (*application.shape) {
      EXPECT_TRUE(first.contains(application.shape)) << first;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, ShippedApplication,
    ::testing::Values(
        Application{"people", "hog", "", "people_walking_720p.mp4", ""},
        Application{"grid", "hog", "", "people_walking_720p.mp4", ""},
        Application{"whole-frame", "hog", "", "people_walking_720p.mp4", ""},
        Application{"objects", "yolox-nano", "yolox_nano.onnx", "cars_720p.mp4", ""},
        Application{"masks", "yolov8n-seg", "yolov8n-seg_w8.onnx", "cars_720p.mp4", "mask"},
        Application{"keypoints", "simplepose", "ultralight-simplepose_bnfold.onnx",
                    "two_people_1080p.mp4", "keypoints"},
        Application{"faces", "yunet", "yunet_n_640_640.onnx", "two_people_1080p.mp4", "keypoints"}),
    [](const auto& of) {
      std::string name = of.param.pipeline;
      std::erase(name, '-');
      return name;
    });

TEST(ShippedStages, FacesAreLookedForWherePeopleAre) {
  if (!elf::hasHog()) GTEST_SKIP() << elf::testing::kNoHog;
  const std::string clip = sharedFile("clips/two_people_1080p.mp4");
  if (!fs::exists(clip) || !fs::exists(sharedFile("models/yunet_n_640_640.onnx")))
    GTEST_SKIP() << "no clip and model of faces in ../shared/data";
  const elf::testing::Folder folder;
  const auto people = startServers("hog"), faces = startServers("yunet");
  const std::string results = folder.file("results.jsonl");
  const Outcome outcome =
      launch("people-faces", {"input=" + clip, "people-" + urlsOf(people), "face-" + urlsOf(faces),
                              "output=" + folder.file("out.mp4"), "results=" + results});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto lines = linesOf(results);
  ASSERT_GE(lines.size(), static_cast<std::size_t>(kFrames));
  for (const auto& line : lines) {
    EXPECT_EQ(line["stage"], 1);
    std::map<int, int> found;
    for (const auto& detection : line["detections"]) {
      ++found[detection["stage"]];
      EXPECT_EQ(detection["label"], detection["stage"] == 0 ? "person" : "face");
    }
    EXPECT_GT(found[0], 0) << line;
    EXPECT_GT(found[1], 0) << line;
  }
}

/** On a busy machine the few frames would all be late. */
constexpr const char* kPatient = "deadline=20000";

class ShippedLive : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(clip_)) GTEST_SKIP() << "no clips in ../shared/data";
    if (!elf::hasHog()) GTEST_SKIP() << elf::testing::kNoHog;
    servers_ = startServers("hog");
  }
  std::string results() const { return folder_.file("results.jsonl"); }
  /** Frames that pass, whatever was found in them: what comes too fast is left out. */
  void expectFrames(const Outcome& outcome) const {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_GE(linesOf(results()).size(), static_cast<std::size_t>(kFrames));
  }

  const std::string clip_ = sharedFile("clips/people_walking_720p.mp4");
  std::vector<elf::LocalServer> servers_;
  elf::testing::Folder folder_;
};

#ifdef ELF_HAVE_RTSP_SERVER
constexpr const char* kCamera =
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1 ! "
    "x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 pt=96";

// rtspsrc shows a track at its second packet. This picture needs one packet, so the sound is there
// first, whichever of both is announced first.
std::string cameraWithSound(const std::string& sound, const std::string& video) {
  return "audiotestsrc is-live=true samplesperbuffer=160 ! "
         "audio/x-raw,format=S16LE,rate=8000,channels=1 ! alawenc ! rtppcmapay pt=8 name=" +
         sound +
         " videotestsrc is-live=true pattern=black ! "
         "video/x-raw,format=I420,width=160,height=120,framerate=10/1 ! jpegenc ! "
         "rtpjpegpay pt=26 name=" +
         video;
}
#endif

TEST_F(ShippedLive, AWebcamsVideoIsShown) {
#ifdef ELF_HAVE_RTSP_SERVER
  // Any live source will do.
  const elf::testing::RtspServer camera(cameraWithSound("pay0", "pay1"));
  expectFrames(launch("webcam", {"camera=" + camera.url(), urlsOf(servers_), "sink=fakesink",
                                 kPatient, "results=" + results()}));
#else
  GTEST_SKIP() << "built without gst-rtsp-server";
#endif
}

TEST_F(ShippedLive, HlsHasAPlaylistOfSegments) {
  const auto begun = std::chrono::steady_clock::now();
  const Outcome outcome =
      launch("hls", {"uri=file://" + clip_, urlsOf(servers_), "folder=" + folder_.path(), kPatient,
                     "keyframes=2", "seconds=1", "results=" + results()});
  expectFrames(outcome);
  // A file is played at its own pace, or the leaky queue would drop most of it.
  EXPECT_GE(std::chrono::steady_clock::now() - begun,
            std::chrono::nanoseconds(linesOf(results()).back()["pts_ns"]));
  std::ifstream playlist(folder_.file("index.m3u8"));
  const std::string text{std::istreambuf_iterator<char>(playlist), {}};
  EXPECT_NE(text.find("segment00000.ts"), std::string::npos) << text;
  EXPECT_TRUE(fs::exists(folder_.file("segment00000.ts")));
}

TEST_F(ShippedLive, ANetworkCamerasVideoIsShown) {
#ifdef ELF_HAVE_RTSP_SERVER
  const elf::testing::RtspServer camera(kCamera);
  expectFrames(launch("rtsp", {"url=" + camera.url(), urlsOf(servers_), "sink=fakesink", kPatient,
                               "results=" + results()}));
#else
  GTEST_SKIP() << "built without gst-rtsp-server";
#endif
}

TEST_F(ShippedLive, TheSoundOfANetworkCameraIsLeftOut) {
#ifdef ELF_HAVE_RTSP_SERVER
  for (const bool soundFirst : {true, false}) {
    SCOPED_TRACE(soundFirst ? "sound is announced first" : "video is announced first");
    const elf::testing::RtspServer camera(soundFirst ? cameraWithSound("pay0", "pay1")
                                                     : cameraWithSound("pay1", "pay0"));
    for (int start = 0; start < 10; ++start) {
      SCOPED_TRACE("start " + std::to_string(start));
      fs::remove(results());
      expectFrames(launch("rtsp", {"url=" + camera.url(), urlsOf(servers_), "sink=fakesink",
                                   kPatient, "results=" + results()}));
      if (HasFailure()) return;
    }
  }
#else
  GTEST_SKIP() << "built without gst-rtsp-server";
#endif
}

}  // namespace
