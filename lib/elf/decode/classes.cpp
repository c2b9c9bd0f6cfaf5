// SPDX-License-Identifier: LGPL-2.1-or-later
#include <numeric>

#include "elf/decode/rows.h"

namespace elf {

std::optional<ClassScore> decodeClasses(const Tensors& tensors) {
  if (tensors.size() != 1) return std::nullopt;
  const cv::Mat& tensor = tensors[0].values;
  if (tensor.type() != CV_32F || !tensor.isContinuous() || tensor.dims < 2 ||
      tensor.total() != static_cast<std::size_t>(tensor.size[1]))
    return std::nullopt;
  const float* first = tensor.ptr<float>();
  const float* end = first + tensor.total();
  const BestClass best(first, tensor.total());
  const bool probabilities =
      *std::min_element(first, end) >= 0 && std::abs(std::accumulate(first, end, 0.0F) - 1) < 1e-3F;
  if (probabilities) return ClassScore{best.id, best.score, tensor.total()};
  const float sum = std::accumulate(first, end, 0.0F, [&best](float before, float logit) {
    return before + std::exp(logit - best.score);
  });
  return ClassScore{best.id, 1 / sum, tensor.total()};
}

}  // namespace elf
