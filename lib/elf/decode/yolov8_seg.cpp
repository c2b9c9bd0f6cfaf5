// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>

#include "elf/decode/prototypes.h"
#include "elf/decode/rows.h"

namespace elf {

namespace {

constexpr std::size_t kBins = 16;

struct Heads {
  std::array<cv::Mat, 3> byStride;
  cv::Mat prototypes;
  std::size_t masks = 0, classes = 0;
};

/** Finds each tensor by its size, which shows its stride, whatever its place or name. */
std::optional<Heads> headsOf(const Tensors& tensors, Size canvas) {
  const auto ofStride = [&](int stride) {
    const auto found = std::ranges::find_if(tensors, [&](const NamedTensor& tensor) {
      return hasShape(tensor.values, {1, -1, canvas.height / stride, canvas.width / stride});
    });
    return found == tensors.end() ? cv::Mat() : found->values;
  };
  Heads result;
  const NamedTensor* const prototypes = findPrototypes(tensors, canvas);
  if (!prototypes) return std::nullopt;
  result.prototypes = prototypes->values;
  const int masks = result.prototypes.size[1];
  int channels = 0;
  for (std::size_t i = 0; i < kUsualStrides.size(); ++i) {
    cv::Mat& head = result.byStride[i] = ofStride(kUsualStrides[i]);
    if (head.empty() || (i > 0 && head.size[1] != channels)) return std::nullopt;
    channels = head.size[1];
  }
  const int classes = channels - static_cast<int>(4 * kBins) - masks;
  if (classes < 1) return std::nullopt;
  result.masks = static_cast<std::size_t>(masks);
  result.classes = static_cast<std::size_t>(classes);
  return result;
}

std::size_t cellsOf(const cv::Mat& head) {
  return static_cast<std::size_t>(head.size[2]) * static_cast<std::size_t>(head.size[3]);
}

MaskGrid maskOf(const Heads& heads, const Candidate& candidate) {
  std::size_t cell = candidate.row;
  std::size_t h = 0;
  for (; cell >= cellsOf(heads.byStride[h]); ++h) cell -= cellsOf(heads.byStride[h]);
  const std::size_t step = cellsOf(heads.byStride[h]);
  const float* const coefficients =
      heads.byStride[h].ptr<float>() + (4 * kBins + heads.classes) * step + cell;
  return maskOf(heads.prototypes, candidate.box, {coefficients, step});
}

}  // namespace

std::optional<Candidates> decodeYolov8Seg(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() == 2) return decodeYolov8Columns(tensors, reading);
  const std::optional<Heads> heads = headsOf(tensors, reading.canvas);
  if (!heads) return std::nullopt;
  Candidates found{.classes = heads->classes};
  std::size_t row = 0;
  for (std::size_t i = 0; i < kUsualStrides.size(); ++i) {
    const auto stride = static_cast<float>(kUsualStrides[i]);
    const cv::Mat& head = heads->byStride[i];
    const std::size_t step = cellsOf(head);
    const float* cell = head.ptr<float>();
    for (int y = 0; y < head.size[2]; ++y)
      for (int x = 0; x < head.size[3]; ++x, ++cell, ++row) {
        const BestClass best(cell + 4 * kBins * step, heads->classes, step);
        if (best.score < reading.minScore) continue;
        const Sides sides = meanSides(cell, kBins, step);
        const float middleX = static_cast<float>(x) + 0.5F;
        const float middleY = static_cast<float>(y) + 0.5F;
        const Box box = grow({middleX, middleY, middleX, middleY}, sides);
        add(found.list, reading,
            {.box = scaled(box, stride, stride),
             .score = best.score,
             .labelId = best.id,
             .row = row});
      }
  }
  found.maskOf = [heads = *heads](const Candidate& candidate) { return maskOf(heads, candidate); };
  return found;
}

}  // namespace elf
