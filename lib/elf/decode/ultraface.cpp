// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/rows.h"

namespace elf {

std::optional<Candidates> decodeUltraFace(const Tensors& tensors, const Reading& reading) {
  const auto ofColumns = [&](int columns) {
    const auto found = std::ranges::find_if(tensors, [columns](const NamedTensor& tensor) {
      return hasShape(tensor.values, {1, -1, columns});
    });
    return found == tensors.end() ? nullptr : &found->values;
  };
  const cv::Mat* scores = ofColumns(2);
  const cv::Mat* boxes = ofColumns(4);
  if (!scores || !boxes || scores->size[1] != boxes->size[1]) return std::nullopt;
  const auto width = static_cast<float>(reading.canvas.width);
  const auto height = static_cast<float>(reading.canvas.height);
  Candidates found{.classes = 1};
  const float* score = scores->ptr<float>();
  const float* box = boxes->ptr<float>();
  for (int i = 0; i < boxes->size[1]; ++i, score += 2, box += 4)
    add(found.list, reading,
        {.box = scaled({box[0], box[1], box[2], box[3]}, width, height), .score = score[1]});
  return found;
}

}  // namespace elf
