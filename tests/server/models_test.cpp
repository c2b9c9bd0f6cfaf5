// SPDX-License-Identifier: LGPL-2.1-or-later
// The real models on real pictures.
#include <gtest/gtest.h>

#include <time.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "elf/server/inference_model.h"
#include "tests/support/pictures.h"

namespace elf {
namespace {

namespace fs = std::filesystem;
using testing::frameOf;
using testing::run;
using testing::sharedFile;

TEST(RemoteModel, IsForAnotherServerToRun) {
  const ModelFile file = parseModelFile("[model]\nbackend=remote\n", "m", "m.model");
  EXPECT_THROW(InferenceModel::create(file), Error);
}

class Networks : public ::testing::TestWithParam<const char*> {};

TEST_P(Networks, FindPeopleInAStreet) {
  if (!fs::exists(sharedFile("models/coco.names")))
    GTEST_SKIP() << "no shared models in " << getenv("ELF_TEST_SHARED");
  const cv::Mat frame = frameOf(sharedFile("clips/people_walking_720p.mp4"), 0);
  if (frame.empty()) GTEST_SKIP() << "no shared clip, or no decoder for it";
  const auto model = InferenceModel::create(loadModelFile(GetParam()));
  const auto found = run(*model, frame);
  ASSERT_TRUE(found) << found.error();
  int people = 0;
  for (const Detection& detection : found.value()) {
    EXPECT_GE(detection.score, model->rules().minScore);
    people += detection.label == "person";
  }
  EXPECT_GE(people, 10);
  // Sizes that are no multiple of 32 are padded.
  const auto odd = run(*model, frame(cv::Rect(100, 100, 333, 217)));
  EXPECT_TRUE(odd) << odd.error();
}

INSTANTIATE_TEST_SUITE_P(Of, Networks, ::testing::Values("yolox-nano", "yolo-fastest-xl"),
                         [](const auto& instance) {
                           return std::string(instance.param).substr(0, 5) == "yolox" ? "Yolox"
                                                                                      : "Darknet";
                         });

TEST(Networks, OfAnotherLayoutThanTheFileSaysAreRefusedAtOnce) {
  if (!fs::exists(sharedFile("models/yolox_nano.onnx")))
    GTEST_SKIP() << "no shared models in " << getenv("ELF_TEST_SHARED");
  const ModelFile wrong = parseModelFile(
      "[model]\nbackend=opencv-dnn\nfile=yolox_nano.onnx\n[input]\nmultiple-of=32\n"
      "[output]\ndecoder=darknet-region\n",
      "wrong", sharedFile("models/wrong.model"));
  EXPECT_THROW(InferenceModel::create(wrong), Error);
}

TEST(SimulatedModel, TakesItsTimeWithoutTakingACoreAndFindsNothing) {
  ModelFile file;
  file.backend = ModelBackend::Simulated;
  file.fixedMs = 20;
  file.msPerMegapixel = 1000;
  const auto model = InferenceModel::create(file);
  const cv::Mat picture(100, 200, CV_8UC3);
  const auto cpuTime = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  const auto cpu = cpuTime();
  const auto start = std::chrono::steady_clock::now();
  const auto detections = run(*model, picture);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(40));
  EXPECT_LT(cpuTime() - cpu, std::chrono::milliseconds(20));
  ASSERT_TRUE(detections);
  EXPECT_TRUE(detections.value().empty());
}

}  // namespace
}  // namespace elf
