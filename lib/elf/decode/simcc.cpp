// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "elf/decode/decoder.h"

namespace elf {

std::optional<std::vector<Keypoint>> decodeSimCc(const Tensors& tensors, Size canvas) {
  if (tensors.size() != 2) return std::nullopt;
  const NamedTensor* x = &tensors[0];
  const NamedTensor* y = &tensors[1];
  // Both have the same number of cells per pixel.
  const auto fits = [&] {
    return x->values.size[2] * canvas.height == y->values.size[2] * canvas.width;
  };
  if (!hasShape(x->values, {1, -1, -1}) || !hasShape(y->values, {1, x->values.size[1], -1}))
    return std::nullopt;
  if (!fits() || (x->name.ends_with('y') && y->name.ends_with('x'))) std::swap(x, y);
  if (!fits()) return std::nullopt;
  const cv::Mat& columns = x->values;
  const cv::Mat& rows = y->values;
  const float cells = static_cast<float>(columns.size[2]) / static_cast<float>(canvas.width);
  std::vector<Keypoint> joints;
  for (int i = 0; i < columns.size[1]; ++i) {
    const auto surest = [i](const cv::Mat& tensor) {
      const float* const first = tensor.ptr<float>(0, i);
      return std::max_element(first, first + tensor.size[2]);
    };
    const float* const column = surest(columns);
    const float* const row = surest(rows);
    joints.push_back({static_cast<float>(column - columns.ptr<float>(0, i)) / cells,
                      static_cast<float>(row - rows.ptr<float>(0, i)) / cells,
                      std::clamp(std::min(*column, *row), 0.0F, 1.0F)});
  }
  return joints;
}

}  // namespace elf
