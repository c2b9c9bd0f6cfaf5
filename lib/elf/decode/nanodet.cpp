// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>

#include "elf/decode/rows.h"

namespace elf {

std::optional<Candidates> decodeNanoDet(const Tensors& tensors, const Reading& reading) {
  constexpr std::array<int, 4> kStrides{8, 16, 32, 64};
  constexpr std::size_t kBins = 8;
  const Size canvas = reading.canvas;
  const auto cellsOf = [](int length, int stride) { return roundUp(length, stride) / stride; };
  int cells = 0;
  for (const int stride : kStrides)
    cells += cellsOf(canvas.width, stride) * cellsOf(canvas.height, stride);
  if (tensors.size() != 1 || !hasShape(tensors[0].values, {1, cells, -1})) return std::nullopt;
  const auto columns = static_cast<std::size_t>(tensors[0].values.size[2]);
  if (columns <= 4 * kBins) return std::nullopt;
  const std::size_t classes = columns - 4 * kBins;

  Candidates found{.classes = classes};
  const float* row = tensors[0].values.ptr<float>();
  for (const int stride : kStrides) {
    const auto s = static_cast<float>(stride);
    for (int y = 0; y < cellsOf(canvas.height, stride); ++y)
      for (int x = 0; x < cellsOf(canvas.width, stride); ++x, row += columns) {
        const BestClass best(row, classes);
        if (best.score < reading.minScore) continue;
        const auto left = static_cast<float>(x), top = static_cast<float>(y);
        const Box box = grow({left, top, left, top}, meanSides(row + classes, kBins, 1));
        add(found.list, reading,
            {.box = scaled(box, s, s), .score = best.score, .labelId = best.id});
      }
  }
  return found;
}

}  // namespace elf
