// SPDX-License-Identifier: LGPL-2.1-or-later
// A network's output tensors. Not installed.
#pragma once

#include <initializer_list>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace elf {

struct NamedTensor {
  std::string name;
  /** FP32, without gaps, whatever the network has. Exact for integers up to 2^24. */
  cv::Mat values;
  /** The network's own values are integers. */
  bool integer = false;
};
using Tensors = std::vector<NamedTensor>;

/** Null if no tensor has that name. */
const cv::Mat* findTensor(const Tensors& tensors, std::string_view name);
/** Whether it is FP32, without gaps, of these dimensions. -1 matches any. */
bool hasShape(const cv::Mat& tensor, std::initializer_list<int> shape);

}  // namespace elf
