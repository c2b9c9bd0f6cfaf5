// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/rows.h"

namespace elf {

std::optional<Candidates> decodeYolox(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1 || !hasShape(tensors[0].values, {1, cellsOf(reading.canvas), -1}))
    return std::nullopt;
  const int columns = tensors[0].values.size[2];
  if (columns < 6) return std::nullopt;

  Candidates found{.classes = static_cast<std::size_t>(columns - 5)};
  const float* row = tensors[0].values.ptr<float>();
  for (const int stride : kUsualStrides) {
    const auto s = static_cast<float>(stride);
    for (int y = 0; y < reading.canvas.height / stride; ++y)
      for (int x = 0; x < reading.canvas.width / stride; ++x, row += columns) {
        if (row[4] < reading.minScore) continue;
        const BestClass best(row + 5, found.classes);
        add(found.list, reading,
            {.box = aroundCentre((row[0] + static_cast<float>(x)) * s,
                                 (row[1] + static_cast<float>(y)) * s, std::exp(row[2]) * s,
                                 std::exp(row[3]) * s),
             .score = row[4] * best.score,
             .labelId = best.id});
      }
  }
  return found;
}

std::optional<Candidates> decodeYoloxDecoded(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1 || !hasShape(tensors[0].values, {1, cellsOf(reading.canvas), -1}))
    return std::nullopt;
  return decodeYolov5(tensors, reading);
}

}  // namespace elf
