// SPDX-License-Identifier: LGPL-2.1-or-later
// The tensors that a network gives. Not installed.
#pragma once

#include <initializer_list>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace elf {

struct NamedTensor {
  std::string name;
  /** FP32, without gaps, whatever the network has. Exact for whole numbers up to 2^24. */
  cv::Mat values;
  /** The network's own are whole numbers. */
  bool integer = false;
};
using Tensors = std::vector<NamedTensor>;

/** Null where there is none of that name. */
const cv::Mat* findTensor(const Tensors& tensors, std::string_view name);
/** FP32, without gaps, of these dimensions; one of -1 may be any. */
bool hasShape(const cv::Mat& tensor, std::initializer_list<int> shape);

}  // namespace elf
