// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "elf/decode/decoder.h"

namespace elf {

std::optional<std::vector<Keypoint>> decodeSimCc(const Tensors& tensors, Size canvas) {
  if (tensors.size() != 2) return std::nullopt;
  const cv::Mat* columns = &tensors[0].values;
  const cv::Mat* rows = &tensors[1].values;
  if (!hasShape(*columns, {1, -1, -1}) || !hasShape(*rows, {1, columns->size[1], -1}))
    return std::nullopt;
  // Both have as many cells for each pixel.
  const auto fits = [&] {
    return columns->size[2] * canvas.height == rows->size[2] * canvas.width;
  };
  if (!fits()) std::swap(columns, rows);
  if (!fits()) return std::nullopt;
  const float cells = static_cast<float>(columns->size[2]) / static_cast<float>(canvas.width);
  std::vector<Keypoint> joints;
  for (int i = 0; i < columns->size[1]; ++i) {
    const auto surest = [i](const cv::Mat& tensor) {
      const float* const first = tensor.ptr<float>(0, i);
      return std::max_element(first, first + tensor.size[2]);
    };
    const float* const x = surest(*columns);
    const float* const y = surest(*rows);
    joints.push_back({static_cast<float>(x - columns->ptr<float>(0, i)) / cells,
                      static_cast<float>(y - rows->ptr<float>(0, i)) / cells,
                      std::clamp(std::min(*x, *y), 0.0F, 1.0F)});
  }
  return joints;
}

}  // namespace elf
