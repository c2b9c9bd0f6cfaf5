// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/rows.h"

namespace elf {

std::optional<Candidates> decodeFastestDet(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1 || !hasShape(tensors[0].values, {1, -1, -1, -1})) return std::nullopt;
  const cv::Mat& tensor = tensors[0].values;
  if (tensor.size[1] < 6) return std::nullopt;
  const auto classes = static_cast<std::size_t>(tensor.size[1] - 5);
  const int rows = tensor.size[2], columns = tensor.size[3];
  const auto step = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  const auto width = static_cast<float>(reading.canvas.width);
  const auto height = static_cast<float>(reading.canvas.height);
  Candidates found{.classes = classes};
  const float* cell = tensor.ptr<float>();
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x, ++cell) {
      const float object = std::pow(cell[0], 0.6F);
      if (object < reading.minScore) continue;
      const BestClass best(cell + 5 * step, classes, step);
      const float cx =
          (static_cast<float>(x) + std::tanh(cell[step])) / static_cast<float>(columns);
      const float cy =
          (static_cast<float>(y) + std::tanh(cell[2 * step])) / static_cast<float>(rows);
      add(found.list, reading,
          {.box = aroundCentre(cx * width, cy * height, sigmoid(cell[3 * step]) * width,
                               sigmoid(cell[4 * step]) * height),
           .score = object * std::pow(best.score, 0.4F),
           .labelId = best.id});
    }
  return found;
}

}  // namespace elf
