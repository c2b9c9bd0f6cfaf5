// SPDX-License-Identifier: LGPL-2.1-or-later
// A network's input. Not installed.
#pragma once

#include <opencv2/core.hpp>
#include <span>

#include "elf/model/model_file.h"

namespace elf {

/**
 * Pictures of one size, BGR, as FP32 N x 3 x H x W in the channel order and with the mean and scale
 * of `file`. All of these must be set (withConvention()).
 */
cv::Mat inputTensor(std::span<const cv::Mat> bgr, const ModelFile& file);

}  // namespace elf
