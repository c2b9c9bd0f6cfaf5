// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/rows.h"

namespace elf {

std::optional<Candidates> decodeYuNet(const Tensors& tensors, const Reading& reading) {
  constexpr int kLandmarks = 5;
  Candidates found{.classes = 1};
  for (const int stride : kUsualStrides) {
    const int columns = reading.canvas.width / stride, rows = reading.canvas.height / stride;
    const auto values = [&, cells = columns * rows](const char* name, int width) -> const float* {
      const cv::Mat* tensor = findTensor(tensors, name + ('_' + std::to_string(stride)));
      return tensor && hasShape(*tensor, {1, cells, width}) ? tensor->ptr<float>() : nullptr;
    };
    const float* face = values("cls", 1);
    const float* object = values("obj", 1);
    const float* box = values("bbox", 4);
    const float* landmarks = values("kps", 2 * kLandmarks);
    if (!face || !object || !box || !landmarks) return std::nullopt;
    const auto s = static_cast<float>(stride);
    for (int i = 0; i < columns * rows; ++i) {
      const float score = std::sqrt(face[i] * object[i]);
      if (!(score >= reading.minScore)) continue;
      const int column = i % columns, row = i / columns;
      const auto left = static_cast<float>(column), top = static_cast<float>(row);
      const float* sides = box + i * 4;
      Candidate candidate{.box = aroundCentre((left + sides[0]) * s, (top + sides[1]) * s,
                                              std::exp(sides[2]) * s, std::exp(sides[3]) * s),
                          .score = score};
      for (int k = 0; k < kLandmarks; ++k) {
        const float* landmark = landmarks + (i * kLandmarks + k) * 2;
        candidate.keypoints.push_back({(left + landmark[0]) * s, (top + landmark[1]) * s, score});
      }
      add(found.list, reading, std::move(candidate));
    }
  }
  return found;
}

}  // namespace elf
