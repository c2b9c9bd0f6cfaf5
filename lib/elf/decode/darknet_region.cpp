// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/rows.h"

namespace elf {

std::optional<Candidates> decodeDarknetRegion(const Tensors& tensors, const Reading& reading) {
  const auto width = static_cast<float>(reading.canvas.width);
  const auto height = static_cast<float>(reading.canvas.height);
  Candidates found;
  for (const NamedTensor& tensor : tensors) {
    const int columns = tensor.values.cols;
    if (!hasShape(tensor.values, {-1, -1}) || columns < 6) return std::nullopt;
    found.classes = static_cast<std::size_t>(columns - 5);
    for (int i = 0; i < tensor.values.rows; ++i) {
      const float* row = tensor.values.ptr<float>(i);
      if (row[4] < reading.minScore) continue;
      const BestClass best(row + 5, found.classes);
      add(found.list, reading,
          {.box = aroundCentre(row[0] * width, row[1] * height, row[2] * width, row[3] * height),
           .score = best.score,
           .labelId = best.id});
    }
  }
  if (tensors.empty()) return std::nullopt;
  return found;
}

}  // namespace elf
