// SPDX-License-Identifier: LGPL-2.1-or-later
// Masks as weighted sums of prototypes. Not installed.
#pragma once

#include <cstddef>
#include <opencv2/core.hpp>

#include "elf/decode/decoder.h"

namespace elf {

/** One prototype's weight after the other, `step` numbers apart. */
struct Coefficients {
  const float* first;
  std::size_t step = 1;
};

/** The tensor 1 x m x H/4 x W/4; null where there is none. */
const NamedTensor* findPrototypes(const Tensors& tensors, Size canvas);

/**
 * What covers `box`, in pixels of the canvas, of the mask with these weights: above a half where
 * the sum is above 0, straight in between, since a sum that is scaled up keeps its edge where its
 * logistic function does not. (Bolya et al., "YOLACT", 2019.)
 */
MaskGrid maskOf(const cv::Mat& prototypes, const Box& box, Coefficients coefficients);

}  // namespace elf
