// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/rows.h"

namespace elf {

std::optional<Candidates> decodeYolov8(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1 || !hasShape(tensors[0].values, {1, -1, -1})) return std::nullopt;
  const cv::Mat& tensor = tensors[0].values;
  const auto rows = static_cast<std::size_t>(tensor.size[1]);
  const auto count = static_cast<std::size_t>(tensor.size[2]);
  // Of more rows than columns it is YOLOv5's, unless the picture is small.
  if (rows < 5 || (rows > count && tensor.size[2] != cellsOf(reading.canvas))) return std::nullopt;
  Candidates found{.classes = rows - 4};
  const float* at = tensor.ptr<float>();
  for (std::size_t i = 0; i < count; ++i, ++at) {
    const BestClass best(at + 4 * count, found.classes, count);
    add(found.list, reading,
        {.box = aroundCentre(at[0], at[count], at[2 * count], at[3 * count]),
         .score = best.score,
         .labelId = best.id});
  }
  return found;
}

}  // namespace elf
