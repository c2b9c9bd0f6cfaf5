// SPDX-License-Identifier: LGPL-2.1-or-later
// A network's view of a picture, and the way back. Not installed.
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

/** The grey that the networks were trained to ignore. */
inline constexpr int kPadding = 114;

/** The picture for a network, and the place of its pixels in the real one. */
class Canvas {
 public:
  /** A whole BGR picture, scaled and padded as the rules and `fit` state. */
  static Canvas ofPicture(const cv::Mat& bgr, const ModelRules& rules, Fit fit = Fit::Corner);

  /** The same for a picture of that size, without pixels. */
  static Canvas ofSize(Size picture, const ModelRules& rules, Fit fit);

  /**
   * The surroundings of `box`, which is inside the picture and not empty: grown to 1.25 times its
   * size, then along one axis to the aspect ratio of `size`, then scaled to `size`. These networks
   * were trained on such crops, scaled without smoothing (Xiao et al., 2018).
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
  /** A joint that is outside the picture, or not finite, is not visible. */
  Keypoint toPicture(const Keypoint& joint) const;
  /** The mask over `box`, which is in the picture's pixels and inside it, rounded outwards. */
  Mask toPicture(const MaskGrid& grid, const Box& box) const;

 private:
  cv::Mat pixels_;
  Size size_, picture_;
  /** x in the picture is (x - origin) * scale in the canvas. */
  double originX_ = 0, originY_ = 0;
  double scaleX_ = 1, scaleY_ = 1;
};

/**
 * The detections in `found` after NMS (suppress()), in pixels of the picture, with masks, joints
 * and rotated boxes as the rules state. No more than a client accepts.
 */
std::vector<Detection> toDetections(Candidates found, double mostIou, const Canvas& canvas,
                                    const ModelRules& rules);

/**
 * The same for the tensors that the network of `file` made from the canvas, by its decoder. Fails
 * with a sentence that names the model if they have another layout or number of classes.
 */
Result<std::vector<Detection>> toDetections(const Tensors& tensors, Decoder decode,
                                            const Canvas& canvas, const ModelFile& file);

}  // namespace elf
