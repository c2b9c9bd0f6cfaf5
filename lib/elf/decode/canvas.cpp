// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/canvas.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "elf/wire/detections.h"

namespace elf {

namespace {

/** The size of the scaled picture, and its offset from the upper left corner of the canvas. */
struct Place {
  Size scaled;
  int left = 0, top = 0;
};

Place placeOf(Size picture, const ModelRules& rules, Fit fit) {
  const Size input = rules.inputSize(picture);
  const bool stretched = fit == Fit::Stretch && !rules.fixedSize.empty();
  const Size scaled = stretched ? input : picture.scaled(rules.inputScale(picture));
  // Centred only in a fixed size. Pixels that fill up a multiple stay after the picture, so that
  // its grid lies as in the whole frame.
  const bool centred = fit == Fit::Centre && !rules.fixedSize.empty();
  if (!centred) return {scaled};
  return {scaled, (input.width - scaled.width) / 2, (input.height - scaled.height) / 2};
}

}  // namespace

Canvas Canvas::ofSize(Size picture, const ModelRules& rules, Fit fit) {
  const Place place = placeOf(picture, rules, fit);
  Canvas canvas;
  canvas.size_ = rules.inputSize(picture);
  canvas.picture_ = picture;
  // Not the rules' scale: whole pixels do not keep the ratio of the sides exactly.
  canvas.scaleX_ = static_cast<double>(place.scaled.width) / picture.width;
  canvas.scaleY_ = static_cast<double>(place.scaled.height) / picture.height;
  canvas.originX_ = -place.left / canvas.scaleX_;
  canvas.originY_ = -place.top / canvas.scaleY_;
  return canvas;
}

Canvas Canvas::ofPicture(const cv::Mat& bgr, const ModelRules& rules, Fit fit) {
  const Size picture{bgr.cols, bgr.rows};
  Canvas canvas = ofSize(picture, rules, fit);
  const auto [to, left, top] = placeOf(picture, rules, fit);
  cv::Mat scaled = bgr;
  if (to != picture) {
    const bool smaller = to.area() < picture.area();
    cv::resize(bgr, scaled, {to.width, to.height}, 0, 0,
               smaller ? cv::INTER_AREA : cv::INTER_LINEAR);
  }
  cv::copyMakeBorder(scaled, canvas.pixels_, top, canvas.size_.height - to.height - top, left,
                     canvas.size_.width - to.width - left, cv::BORDER_CONSTANT,
                     cv::Scalar::all(kPadding));
  return canvas;
}

Canvas Canvas::ofBox(const cv::Mat& bgr, const Box& box, Size size) {
  constexpr double kGrowth = 1.25;
  Canvas canvas;
  canvas.size_ = size;
  canvas.picture_ = {bgr.cols, bgr.rows};
  const double scale =
      std::min(size.width / (kGrowth * box.width()), size.height / (kGrowth * box.height()));
  canvas.scaleX_ = canvas.scaleY_ = scale;
  canvas.originX_ = box.centreX() - size.width / scale / 2;
  canvas.originY_ = box.centreY() - size.height / scale / 2;
  // OpenCV can't warp a picture with a side of 32767 or more.
  const auto left = static_cast<float>(canvas.originX_), top = static_cast<float>(canvas.originY_);
  const Box shown{left, top, left + static_cast<float>(size.width / scale),
                  top + static_cast<float>(size.height / scale)};
  constexpr Sides kInterpolated{2, 2, 2, 2};
  const Rect crop = roundOutwards(grow(shown, kInterpolated), canvas.picture_);
  // From the middle of a pixel of the canvas to that of one of the crop.
  const cv::Matx23d toCrop(1 / scale, 0, canvas.originX_ - crop.x + 0.5 / scale - 0.5,  //
                           0, 1 / scale, canvas.originY_ - crop.y + 0.5 / scale - 0.5);
  cv::warpAffine(bgr({crop.x, crop.y, crop.width, crop.height}), canvas.pixels_, toCrop,
                 {size.width, size.height}, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                 cv::BORDER_CONSTANT, cv::Scalar::all(kPadding));
  return canvas;
}

Box Canvas::toPicture(const Box& box) const {
  const Box unscaled =
      scaled(box, static_cast<float>(1 / scaleX_), static_cast<float>(1 / scaleY_));
  return clip(shift(unscaled, static_cast<float>(originX_), static_cast<float>(originY_)),
              picture_);
}

RotatedBox Canvas::toPicture(const RotatedBox& box) const {
  return box.scaled(1 / scaleX_, 1 / scaleY_)
      .shifted(static_cast<float>(originX_), static_cast<float>(originY_));
}

Keypoint Canvas::toPicture(const Keypoint& joint) const {
  Keypoint result{static_cast<float>(joint.x / scaleX_ + originX_),
                  static_cast<float>(joint.y / scaleY_ + originY_), joint.visibility};
  if (!std::isfinite(result.x) || !std::isfinite(result.y)) return {};
  const bool inside = result.x >= 0 && result.y >= 0 &&
                      result.x <= static_cast<float>(picture_.width) &&
                      result.y <= static_cast<float>(picture_.height);
  if (!inside || !(result.visibility > 0)) result.visibility = 0;
  return result;
}

Mask Canvas::toPicture(const MaskGrid& grid, const Box& box) const {
  const Rect rect = roundOutwards(box, picture_);
  // The middle of a pixel of the picture, counted in cells from the middle of the first.
  const double cellsX = grid.values.cols / static_cast<double>(grid.place.width());
  const double cellsY = grid.values.rows / static_cast<double>(grid.place.height());
  const cv::Matx23d toCells(
      scaleX_ * cellsX, 0, ((rect.x + 0.5 - originX_) * scaleX_ - grid.place.x0) * cellsX - 0.5,  //
      0, scaleY_ * cellsY, ((rect.y + 0.5 - originY_) * scaleY_ - grid.place.y0) * cellsY - 0.5);
  cv::Mat sure;
  cv::warpAffine(grid.values, sure, toCells, {rect.width, rect.height},
                 cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REPLICATE);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(rect.area()));
  cv::Mat(rect.height, rect.width, CV_8U, pixels.data()).setTo(1, sure > 0.5);
  return {rect, std::move(pixels)};
}

std::vector<Detection> toDetections(Candidates found, double mostIou, const Canvas& canvas,
                                    const ModelRules& rules) {
  std::vector<Detection> detections;
  double maskPixels = 0;
  for (const Candidate& candidate :
       suppress(std::move(found.list), mostIou, wire::kMaxDetections)) {
    Detection detection;
    detection.box = canvas.toPicture(candidate.box);
    if (rules.rotated && candidate.rotated) {
      detection.rotated = canvas.toPicture(*candidate.rotated);
      if (!detection.rotated->possible()) continue;
      // Not the hull on the canvas: scaling skews a rotated box and changes its hull.
      detection.box = clip(detection.rotated->hull(), canvas.picture());
    }
    if (detection.box.empty()) continue;
    detection.score = candidate.score;
    detection.labelId = candidate.labelId;
    detection.label = rules.label(candidate.labelId);
    if (rules.keypoints > 0)
      for (const Keypoint& joint : candidate.keypoints)
        detection.keypoints.push_back(canvas.toPicture(joint));
    if (rules.masks) {
      // A client accepts no answer with more.
      maskPixels += roundOutwards(detection.box, canvas.picture()).area();
      if (maskPixels > kMaxMaskPixels) break;
      detection.mask = canvas.toPicture(found.maskOf(candidate), detection.box);
    }
    detections.push_back(std::move(detection));
  }
  return detections;
}

Result<std::vector<Detection>> toDetections(const Tensors& tensors, Decoder decode,
                                            const Canvas& canvas, const ModelFile& file) {
  std::optional<Candidates> found = decode(tensors, {.canvas = canvas.size(),
                                                     .minScore = file.rules.minScore,
                                                     .keypoints = file.rules.keypoints,
                                                     .labels = file.rules.labels.size()});
  if (!found)
    return Result<std::vector<Detection>>::failure(file.name + ": " + unexpected(tensors));
  if (const std::string wrong = wrongLabels(found->classes, file.rules.labels); !wrong.empty())
    return Result<std::vector<Detection>>::failure(file.name + ": " + wrong);
  if (file.rules.masks && !found->list.empty() && !found->maskOf)
    return Result<std::vector<Detection>>::failure(file.name + ": the network gives no masks");
  return toDetections(std::move(*found), *file.nms, canvas, file.rules);
}

}  // namespace elf
