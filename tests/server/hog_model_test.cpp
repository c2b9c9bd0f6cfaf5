// SPDX-License-Identifier: LGPL-2.1-or-later
// The model `hog`, where OpenCV has the detector.
#include <gtest/gtest.h>

#include <algorithm>
#include <opencv2/core.hpp>

#include ELF_HOG_HEADER

#include "elf/server/inference_model.h"
#include "tests/support/pictures.h"

namespace elf {
namespace {

using testing::frameOf;
using testing::run;

constexpr const char* kPedestrians = "/usr/share/doc/opencv-doc/examples/data/vtest.avi";

TEST(HogModel, EqualsOpencvsDetectorWithoutTheWindowsMargins) {
  const cv::Mat frame = frameOf(kPedestrians, 3);
  if (frame.empty()) GTEST_SKIP() << "no vtest.avi: install opencv-doc";
  const auto found = run(*InferenceModel::create(loadModelFile("hog")), frame);
  ASSERT_TRUE(found) << found.error();

  cv::HOGDescriptor hog;
  hog.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
  std::vector<cv::Rect> windows;
  std::vector<double> weights;
  hog.detectMultiScale(frame, windows, weights, 0, {8, 8}, {16, 16}, 1.05, 2);
  ASSERT_FALSE(windows.empty());
  ASSERT_EQ(found.value().size(), windows.size());
  // OpenCV finds them in threads: their order is another one each time.
  for (const Detection& detection : found.value()) {
    EXPECT_EQ(detection.label, "person");
    const auto window = std::ranges::find_if(windows, [&](const cv::Rect& w) {
      const Box tight{w.x + w.width / 4.0F, w.y + w.height / 8.0F, w.x + w.width * 0.75F,
                      w.y + w.height * 0.875F};
      return detection.box == clip(tight, {frame.cols, frame.rows});
    });
    ASSERT_NE(window, windows.end());
    const auto index = static_cast<std::size_t>(window - windows.begin());
    EXPECT_FLOAT_EQ(detection.score, static_cast<float>(weights[index]));
  }
}

TEST(HogModel, TakesAPictureThatIsSmallerThanItsWindow) {
  const auto model = InferenceModel::create(loadModelFile("hog"));
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(64, 20), cv::Size(20, 200)}) {
    const auto found = run(*model, cv::Mat::zeros(size, CV_8UC3));
    EXPECT_TRUE(found) << found.error();
  }
}

TEST(HogModel, FindsInAPartWhatItFindsThereInTheWholeFrame) {
  const cv::Mat frame = frameOf(kPedestrians, 3);
  if (frame.empty()) GTEST_SKIP() << "no vtest.avi: install opencv-doc";
  const auto model = InferenceModel::create(loadModelFile("hog"));
  const auto whole = run(*model, frame);
  ASSERT_TRUE(whole) << whole.error();
  ASSERT_GE(whole.value().size(), 2U);
  for (const Detection& expected : whole.value()) {
    // Room for the window of which the person is the middle, and for all that are grouped with it.
    const float room = expected.box.height();
    const Rect rect =
        roundOutwards(grow(expected.box, {room, room, room, room}), {frame.cols, frame.rows});
    const cv::Mat part = frame(cv::Rect(rect.x, rect.y, rect.width, rect.height));
    const auto found = model->run(viewOf(part), {rect.x, rect.y, {frame.cols, frame.rows}});
    ASSERT_TRUE(found) << found.error();
    const auto inFrame = [&](const Detection& d) {
      return shift(d.box, static_cast<float>(rect.x), static_cast<float>(rect.y));
    };
    EXPECT_TRUE(std::any_of(found.value().begin(), found.value().end(),
                            [&](const Detection& d) {
                              return inFrame(d) == expected.box && d.score == expected.score;
                            }))
        << expected.box.x0 << "," << expected.box.y0;
  }
}

TEST(HogModel, APartWithoutRoomForAWindowHoldsNobody) {
  const auto model = InferenceModel::create(loadModelFile("hog"));
  const auto found =
      model->run(viewOf(cv::Mat::zeros(40, 30, CV_8UC3)), {.x = 10, .y = 20, .frame = {640, 480}});
  ASSERT_TRUE(found) << found.error();
  EXPECT_TRUE(found.value().empty());
}

}  // namespace
}  // namespace elf
