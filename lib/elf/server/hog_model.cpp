// SPDX-License-Identifier: LGPL-2.1-or-later
// OpenCV's histograms of oriented gradients with its linear SVM for pedestrians.
#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <tuple>

#include ELF_HOG_HEADER

#include "elf/base/printable.h"
#include "elf/server/backends.h"
#include "elf/server/exact_resize.h"

namespace elf {

namespace {

class HogModel : public InferenceModel {
 public:
  explicit HogModel(const ModelFile& file) : InferenceModel(file) {
    hog_.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
  }

  std::string platform() const override { return "opencv_hog"; }

  Answer run(const ImageView& bgr, const Placement& placement) override try {
    Windows found;
    const Size frame = placement.frame;
    if (frame == bgr.size || frame.width < hog_.winSize.width || frame.height < hog_.winSize.height)
      searchWhole(matOf(bgr), found);
    else
      searchPart(matOf(bgr), placement, found);
    std::vector<Detection> detections;
    for (std::size_t i = 0; i < found.rects.size(); ++i) {
      const Box person = shift(personIn(found.rects[i]), static_cast<float>(-placement.x),
                               static_cast<float>(-placement.y));
      Detection detection;
      detection.box = clip(person, bgr.size);
      detection.score = static_cast<float>(found.weights[i]);
      detection.label = rules().label(0);
      if (!detection.box.empty()) detections.push_back(std::move(detection));
    }
    return detections;
  } catch (const cv::Exception& error) {
    return Answer::failure(name() + ": " + printable(error.what()));
  }

 private:
  static constexpr int kStride = 8;
  static constexpr int kPadding = 16;
  static constexpr double kScaleStep = 1.05;
  static constexpr int kGroupThreshold = 2;
  /** The value that detectMultiScale() groups with. */
  static constexpr double kGroupEps = 0.2;

  struct Windows {
    std::vector<cv::Rect> rects;
    std::vector<double> weights;
  };

  void searchWhole(cv::Mat picture, Windows& found) const {
    const cv::Size window = hog_.winSize;
    if (picture.cols < window.width || picture.rows < window.height) {
      cv::Mat grown;
      cv::copyMakeBorder(picture, grown, 0, std::max(0, window.height - picture.rows), 0,
                         std::max(0, window.width - picture.cols), cv::BORDER_REPLICATE);
      picture = grown;
    }
    hog_.detectMultiScale(picture, found.rects, found.weights, rules().minScore, {kStride, kStride},
                          {kPadding, kPadding}, kScaleStep, kGroupThreshold);
  }

  /**
   * Finds the windows that detectMultiScale() would try in the whole frame and that lie inside the
   * part: on the frame's own grid, in each level of its pyramid. The grid of a separate crop begins
   * anew, at other pixels in each level, and then finds other people: a twelfth of the sure ones in
   * vtest.avi.
   */
  void searchPart(const cv::Mat& part, const Placement& placement, Windows& found) const {
    const Size frame = placement.frame;
    const cv::Size window = hog_.winSize;
    double scale = 1;
    for (int i = 0; i < hog_.nlevels; ++i, scale *= kScaleStep) {
      const cv::Size level(cvRound(frame.width / scale), cvRound(frame.height / scale));
      if (i > 0 && (level.width < window.width || level.height < window.height)) break;
      const Axis x(placement.x, part.cols, frame.width, level.width);
      const Axis y(placement.y, part.rows, frame.height, level.height);
      if (!x.holds(window.width) || !y.holds(window.height)) break;
      const cv::Rect region(x.begin, y.begin, x.end - x.begin, y.end - y.begin);
      cv::Mat pixels;
      resizePart(part, placement, level, region, pixels);
      std::vector<cv::Point> places;
      std::vector<double> weights;
      hog_.detect(pixels, places, weights, rules().minScore, {kStride, kStride},
                  {x.padding(), y.padding()});
      for (std::size_t w = 0; w < places.size(); ++w) {
        const cv::Point at = places[w] + region.tl();
        if (!x.sees(at.x, window.width) || !y.sees(at.y, window.height)) continue;
        found.rects.emplace_back(cvRound(at.x * scale), cvRound(at.y * scale),
                                 cvRound(window.width * scale), cvRound(window.height * scale));
        found.weights.push_back(weights[w]);
      }
    }
    hog_.groupRectangles(found.rects, found.weights, kGroupThreshold, kGroupEps);
  }

  /** The pixels of one level that the part has along one axis. */
  struct Axis {
    Axis(int from, int length, int frame, int level)
        : atStart(from == 0), atEnd(from + length == frame) {
      std::tie(seenFrom, seenTo) = madeOf(from, from + length, frame, level);
      begin = seenFrom / kStride * kStride;  // where the frame's grid has a window
      end = std::max(seenTo, begin);
    }
    /** Windows extend only over the edges of the frame. */
    int padding() const { return atStart || atEnd ? kPadding : 0; }
    bool holds(int window) const { return end - begin + 2 * padding() >= window; }
    /** Gradients need a pixel on each side. */
    bool sees(int at, int window) const {
      return (atStart || at > seenFrom) && (atEnd || at + window < seenTo);
    }

    bool atStart, atEnd;
    int seenFrom = 0, seenTo = 0;
    int begin, end;
  };

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

bool hasHog() {
  return true;
}

std::unique_ptr<InferenceModel> createHogModel(const ModelFile& file) {
  return std::make_unique<HogModel>(file);
}

}  // namespace elf
