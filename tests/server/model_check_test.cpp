// SPDX-License-Identifier: LGPL-2.1-or-later
// `elf-server --check` and `--list`, and the defaults of InferenceModel that they show.
#include "elf/server/model_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "elf/server/backends.h"
#include "tests/support/blob_model.h"
#include "tests/support/folder.h"
#include "tests/support/made_network.h"
#include "tests/support/process.h"

namespace elf {
namespace {

using ::testing::AllOf;
using testing::BlobModel;
using ::testing::ContainsRegex;
using testing::Folder;
using ::testing::HasSubstr;

std::string program() {
  return std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server";
}

cv::Mat twoBlobs() {
  cv::Mat picture(240, 640, CV_8UC3, cv::Scalar::all(0));
  cv::rectangle(picture, {40, 50, 60, 80}, cv::Scalar::all(255), cv::FILLED);
  cv::rectangle(picture, {500, 120, 50, 30}, cv::Scalar::all(255), cv::FILLED);
  return picture;
}

TEST(InferenceModel, MergesByDefaultThePiecesThatTwoPartsSee) {
  BlobModel model;
  const cv::Mat picture = twoBlobs();
  // The border between the parts goes through the first blob.
  const std::vector<Part> parts{{.rect = {0, 0, 70, 240}, .kind = PartKind::Full},
                                {.rect = {70, 0, 570, 240}, .kind = PartKind::Full}};
  std::vector<std::vector<Detection>> results;
  for (const Part& part : parts) {
    const Rect& r = part.rect;
    const cv::Mat pixels = picture(cv::Rect(r.x, r.y, r.width, r.height));
    results.push_back(model.run(viewOf(pixels), {.frame = r.size()}).value());
  }
  const std::vector<Detection> merged = model.merge(results, parts, {640, 240});
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_THAT(model.extractRps(merged),
              ::testing::UnorderedElementsAre(Box{40, 50, 100, 130}, Box{500, 120, 550, 150}));
}

TEST(InferenceModel, RendersByDefaultOutlinesOfTheObjects) {
  BlobModel model;
  cv::Mat picture = twoBlobs();
  const cv::Mat before = picture.clone();
  const auto found = model.run(viewOf(picture), {.frame = {640, 240}}).value();
  model.render({.format = PixelFormat::BGR,
                .size = {640, 240},
                .planes = {picture.data},
                .strides = {static_cast<int>(picture.step)}},
               found);
  cv::Mat changed;
  cv::absdiff(before, picture, changed);
  cv::cvtColor(changed, changed, cv::COLOR_BGR2GRAY);
  EXPECT_GT(cv::countNonZero(changed(cv::Rect(495, 115, 60, 40))), 0);
  EXPECT_EQ(cv::countNonZero(changed(cv::Rect(250, 160, 200, 80))), 0);
}

TEST(CheckModel, ComparesTheWholePictureWithPartsAroundWhatWasFoundThere) {
  BlobModel model;
  const auto check = checkModel(model, viewOf(twoBlobs()));
  ASSERT_TRUE(check) << check.error();
  EXPECT_EQ(check.value().found.size(), 2U);
  EXPECT_EQ(check.value().merged.size(), 2U);
  EXPECT_EQ(check.value().pairs, 2U);
  EXPECT_DOUBLE_EQ(check.value().f1, 1);
  EXPECT_DOUBLE_EQ(check.value().boxIou, 1);
  ASSERT_EQ(check.value().parts.size(), 2U);
  double pixels = 0;
  for (const Part& part : check.value().parts) pixels += part.rect.area();
  EXPECT_LT(pixels, 640 * 240 / 4.0);
}

TEST(CheckModel, CutsAPictureInWhichNothingIsFoundInTwo) {
  BlobModel model;
  const auto check = checkModel(model, viewOf(cv::Mat(100, 200, CV_8UC3, cv::Scalar::all(0))));
  ASSERT_TRUE(check) << check.error();
  EXPECT_EQ(check.value().parts.size(), 2U);
  EXPECT_DOUBLE_EQ(check.value().f1, 1);
}

TEST(ElfServerCheck, SaysWhatAModelFindsAndDrawsIt) {
  const Folder folder;
  cv::imwrite(folder.file("in.png"), cv::Mat(200, 300, CV_8UC3, cv::Scalar::all(90)));
  const auto outcome =
      testing::run(program(), {"--check", "simulated", "--picture", folder.file("in.png"),
                               "--output", folder.file("out.png")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("model: simulated, detection, simulated, loaded in "),
                    HasSubstr("300x200, computed as 300x200\n"), HasSubstr("median of 5 "),
                    HasSubstr("found: 0\n"), HasSubstr("agrees with the whole by F1 1.000")));
  EXPECT_EQ(cv::imread(folder.file("out.png")).size(), cv::Size(300, 200));
}

TEST(ElfServerCheck, SaysWhatAPictureOfABatchTakes) {
  const Folder folder;
  std::ofstream(folder.file("slow.model"))
      << "[model]\nbackend=simulated\n[input]\nmax-batch=10\n[simulated]\nfixed-ms=20\n";
  const auto outcome = testing::run(
      program(), {"--check", folder.file("slow.model"), "--output", folder.file("out.png")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  // 20 ms for ten of them.
  EXPECT_THAT(outcome.out, ContainsRegex("median of 5 [2-9][0-9][.][0-9] ms, in a batch of 10 "
                                         "[2-9][.][0-9] ms a picture\n"));
}

TEST(ElfServerCheck, FailsWithOneLineThatNamesWhatIsWrong) {
  const Folder folder;
  std::ofstream(folder.file("text.png")) << "words";
  const std::string noText("\x08\x07\x12\0\n\xff\n:x\n", 10);
  std::ofstream(folder.file("net.model")) << noText;
  std::ofstream(folder.file("net.onnx")) << noText;
  testing::writeOnnx(folder.file("nan.onnx"),
                     {.outputs = {{"output0", {1, 1, 6}, std::vector<float>(6, NAN)}}});
  std::vector<std::uint8_t> png;
  cv::imencode(".png", twoBlobs(), png);
  std::ofstream(folder.file("cut.png"))
      .write(reinterpret_cast<const char*>(png.data()),
             static_cast<std::streamsize>(png.size() / 2));
  for (const auto& [arguments, named] :
       {std::pair<std::vector<std::string>, std::string>{{"--check", "nowhere"}, "nowhere"},
        {{"--check", folder.file("net.model")}, "net.model: not UTF-8 text"},
        {{"--check", folder.file("net.onnx")}, "net.onnx: not a whole ONNX file"},
        {{"--check", folder.file("nan.onnx")},
         "nan.onnx: the network's output output0 1x1x6 is not finite (look at [input] scale"},
        {{"--check", "simulated", "--picture", folder.file("cut.png")},
         "cut.png: image: broken PNG"},
        {{"--check", "simulated", "--picture", folder.file("none.png")}, "none.png"},
        {{"--check", "simulated", "--picture", folder.file("text.png")}, "text.png"},
        {{"--check", "simulated", "--output", folder.file("no/folder.png")},
         "no/folder.png: can't be written: No such file or directory"},
        {{"--check", "simulated", "--output", folder.file("out.nonsense")}, "out.nonsense"}}) {
    const auto outcome = testing::run(program(), arguments);
    EXPECT_EQ(outcome.code, 1) << named;
    EXPECT_THAT(outcome.err, HasSubstr(named));
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
  }
  EXPECT_EQ(testing::run(program(), {"--picture", "in.png"}).code, 2);
  EXPECT_EQ(testing::run(program(), {"--check="}).code, 2);
  EXPECT_EQ(testing::run(program(), {"--check", "simulated", "--model", "yunet"}).code, 2);
}

TEST(ElfServerList, TellsTaskBackendAndWhetherTheFilesAreThere) {
  const Folder folder;
  std::ofstream(folder.file("joints.model"))
      << "[model]\nbackend=opencv-dnn\nfile=lost.onnx\ntask=keypoints\n"
         "[output]\ndecoder=yunet\nkeypoints=5\n";
  std::ofstream(folder.file("made.model")) << "[model]\nbackend=simulated\n";
  std::ofstream(folder.file("broken.model")) << "[model]\nbackend=nonsense\n";
  const auto outcome =
      testing::run("/usr/bin/env", {"ELF_MODEL_PATH=" + folder.path(), program(), "--list"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, ContainsRegex("\nmade +detection +simulated +no file needed\n"));
  EXPECT_THAT(outcome.out,
              ContainsRegex("\njoints +keypoints +opencv-dnn +[^\n]*'lost.onnx' is in none of"));
  EXPECT_THAT(outcome.out, ContainsRegex("\nbroken +- +- +[^\n]*backend: 'nonsense'"));
}

}  // namespace
}  // namespace elf
