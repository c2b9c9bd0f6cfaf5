// SPDX-License-Identifier: LGPL-2.1-or-later
// Masks as weighted sums of prototypes. Not installed.
#pragma once

#include <cstddef>
#include <opencv2/core.hpp>

#include "elf/decode/decoder.h"

namespace elf {

/** The weights of the prototypes, `step` numbers apart. */
struct Coefficients {
  const float* first;
  std::size_t step = 1;
};

/** The tensor 1 x m x H/4 x W/4, or null. */
const NamedTensor* findPrototypes(const Tensors& tensors, Size canvas);

/**
 * The part of the mask with these weights that covers `box`, in pixels of the canvas. It is above a
 * half where the sum is above 0. It is linear in the sum: scaling up a sum keeps its edge, scaling
 * up its logistic function does not. (Bolya et al., "YOLACT", 2019.)
 */
MaskGrid maskOf(const cv::Mat& prototypes, const Box& box, Coefficients coefficients);

}  // namespace elf
