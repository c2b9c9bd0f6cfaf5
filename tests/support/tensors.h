// SPDX-License-Identifier: LGPL-2.1-or-later
// Tensors that are made by hand.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <opencv2/core.hpp>
#include <string>
#include <utility>
#include <vector>

#include "elf/decode/tensors.h"

namespace elf::testing {

inline cv::Mat zeros(const std::vector<int>& shape) {
  return {shape, CV_32F, cv::Scalar(0)};
}

/** `values`, as many as the shape has places. */
inline cv::Mat tensorOf(const std::vector<int>& shape, const std::vector<float>& values) {
  cv::Mat tensor = zeros(shape);
  CV_Assert(tensor.total() == values.size());
  std::ranges::copy(values, tensor.ptr<float>());
  return tensor;
}

/** A tensor 1 x rows x columns. */
inline NamedTensor rows(const std::string& name, const std::vector<std::vector<float>>& values) {
  cv::Mat tensor =
      zeros({1, static_cast<int>(values.size()), static_cast<int>(values.front().size())});
  float* at = tensor.ptr<float>();
  for (const auto& row : values) at = std::ranges::copy(row, at).out;
  return {name, tensor};
}

/** A tensor 1 x rows x count that is 0 but for some columns, of which the first numbers are told.
 */
inline NamedTensor columns(const std::string& name, int rows, int count,
                           std::initializer_list<std::pair<int, std::vector<float>>> set) {
  cv::Mat tensor = zeros({1, rows, count});
  for (const auto& [column, values] : set)
    for (std::size_t i = 0; i < values.size(); ++i)
      tensor.at<float>(0, static_cast<int>(i), column) = values[i];
  return {name, tensor};
}

/** As of a network whose own numbers are whole. */
inline NamedTensor integers(const std::string& name, const std::vector<int>& shape,
                            const std::vector<float>& values) {
  return {name, tensorOf(shape, values), true};
}

}  // namespace elf::testing
