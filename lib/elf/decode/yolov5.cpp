// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/rows.h"

namespace elf {

std::optional<Candidates> decodeYolov5(const Tensors& tensors, const Reading& reading) {
  // With more columns than rows it is YOLOv8's, unless the picture is small.
  constexpr int kAnchors = 3;
  const int usual = kAnchors * cellsOf(reading.canvas);
  const auto tensor = std::ranges::find_if(tensors, [&](const NamedTensor& each) {
    return hasShape(each.values, {1, -1, -1}) && each.values.size[2] > 5 &&
           (each.values.size[2] <= each.values.size[1] || each.values.size[1] == usual);
  });
  if (tensor == tensors.end()) return std::nullopt;
  const int columns = tensor->values.size[2];
  Candidates found{.classes = static_cast<std::size_t>(columns - 5)};
  const float* row = tensor->values.ptr<float>();
  for (int i = 0; i < tensor->values.size[1]; ++i, row += columns) {
    if (row[4] < reading.minScore) continue;
    const BestClass best(row + 5, found.classes);
    add(found.list, reading,
        {.box = aroundCentre(row[0], row[1], row[2], row[3]),
         .score = row[4] * best.score,
         .labelId = best.id});
  }
  return found;
}

}  // namespace elf
