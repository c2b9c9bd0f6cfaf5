// SPDX-License-Identifier: LGPL-2.1-or-later
// OpenCV's histograms of oriented gradients with its linear SVM for pedestrians.
#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "elf/base/printable.h"
#include "elf/server/backends.h"

namespace elf {

namespace {

class HogModel : public InferenceModel {
 public:
  explicit HogModel(const ModelFile& file) : InferenceModel(file) {
    hog_.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
  }

  std::string platform() const override { return "opencv_hog"; }

  Result<std::vector<Detection>> run(const ImageView& bgr) override try {
    cv::Mat picture = matOf(bgr);
    const cv::Size window = hog_.winSize;
    if (picture.cols < window.width || picture.rows < window.height) {
      cv::Mat grown;
      cv::copyMakeBorder(picture, grown, 0, std::max(0, window.height - picture.rows), 0,
                         std::max(0, window.width - picture.cols), cv::BORDER_REPLICATE);
      picture = grown;
    }
    std::vector<cv::Rect> windows;
    std::vector<double> weights;
    hog_.detectMultiScale(picture, windows, weights, rules().minScore, cv::Size(8, 8),
                          cv::Size(16, 16), 1.05, 2);
    std::vector<Detection> detections;
    for (std::size_t i = 0; i < windows.size(); ++i) {
      Detection detection;
      detection.box = clip(personIn(windows[i]), bgr.size);
      detection.score = static_cast<float>(weights[i]);
      detection.label = rules().label(0);
      if (!detection.box.empty()) detections.push_back(std::move(detection));
    }
    return detections;
  } catch (const cv::Exception& error) {
    return Result<std::vector<Detection>>::failure(name() + ": " + printable(error.what()));
  }

 private:
  /** The detector was trained with 16 of the window's 64x128 pixels left free on each side. */
  static Box personIn(const cv::Rect& window) {
    const auto x = static_cast<float>(window.x);
    const auto y = static_cast<float>(window.y);
    const auto width = static_cast<float>(window.width);
    const auto height = static_cast<float>(window.height);
    return {x + width * 16 / 64, y + height * 16 / 128, x + width * 48 / 64,
            y + height * 112 / 128};
  }

  cv::HOGDescriptor hog_;
};

}  // namespace

std::unique_ptr<InferenceModel> createHogModel(const ModelFile& file) {
  return std::make_unique<HogModel>(file);
}

}  // namespace elf
