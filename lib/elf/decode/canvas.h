// SPDX-License-Identifier: LGPL-2.1-or-later
// What a network sees of a picture, and the way back from there. Not installed.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "elf/base/error.h"
#include "elf/decode/decoder.h"
#include "elf/geometry/box.h"
#include "elf/geometry/keypoint.h"
#include "elf/geometry/mask.h"
#include "elf/model/model_file.h"
#include "elf/types/detection.h"
#include "elf/types/model_rules.h"

namespace elf {

/** Grey that the networks were trained to take for nothing. */
inline constexpr int kPadding = 114;

/** The picture that a network is given, and where in the real one its pixels come from. */
class Canvas {
 public:
  /** The whole of a BGR picture, scaled and padded as the rules and `fit` say. */
  static Canvas ofPicture(const cv::Mat& bgr, const ModelRules& rules, Fit fit = Fit::Corner);

  /** The same without its pixels: where those of a picture of that size would lie. */
  static Canvas ofSize(Size picture, const ModelRules& rules, Fit fit);

  /**
   * What is around `box`, which is inside the picture and not empty: grown to 1.25 times its size,
   * and then one side as far as `size` is wider or higher; scaled to `size`. These networks were
   * trained on crops of this kind, scaled without smoothing (Xiao et al., 2018).
   */
  static Canvas ofBox(const cv::Mat& bgr, const Box& box, Size size);

  /** Empty without pixels. */
  const cv::Mat& pixels() const { return pixels_; }
  Size size() const { return size_; }
  Size picture() const { return picture_; }

  // From pixels of the canvas to those of the picture.

  /** Clipped to the picture. */
  Box toPicture(const Box& box) const;
  /** Not clipped. */
  RotatedBox toPicture(const RotatedBox& box) const;
  /** One that lies outside the picture, or nowhere, is not seen. */
  Keypoint toPicture(const Keypoint& joint) const;
  /** Over `box`, which is in the picture's pixels and inside it, rounded outwards. */
  Mask toPicture(const MaskGrid& grid, const Box& box) const;

 private:
  cv::Mat pixels_;
  Size size_, picture_;
  /** What is at x of the picture is at (x - origin) * scale of the canvas. */
  double originX_ = 0, originY_ = 0;
  double scaleX_ = 1, scaleY_ = 1;
};

/**
 * `found`, after non-maximum suppression (suppress()), in pixels of the picture, with masks, joints
 * and rotated boxes where the rules say so; no more than a client takes.
 */
std::vector<Detection> toDetections(Candidates found, double mostIou, const Canvas& canvas,
                                    const ModelRules& rules);

/**
 * The same of the tensors that the network of `file` made of the canvas, by its decoder. Fails,
 * with a sentence that names the model, where they are of another layout or number of classes.
 */
Result<std::vector<Detection>> toDetections(const Tensors& tensors, Decoder decode,
                                            const Canvas& canvas, const ModelFile& file);

}  // namespace elf
