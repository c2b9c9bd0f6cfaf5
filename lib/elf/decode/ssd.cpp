// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/rows.h"

namespace elf {

namespace {

std::optional<Candidates> readRows(const cv::Mat& tensor, const Reading& reading) {
  constexpr int kColumns = 7;
  if (!hasShape(tensor, {1, 1, -1, kColumns})) return std::nullopt;
  const auto width = static_cast<float>(reading.canvas.width);
  const auto height = static_cast<float>(reading.canvas.height);
  Candidates found;
  for (int i = 0; i < tensor.size[2]; ++i) {
    const float* row = tensor.ptr<float>(0, 0) + i * kColumns;
    // Unused rows of the layer belong to no picture, or are all zero, without a box.
    const auto label = classOf(row[1]);
    if (row[0] != 0 || !label) continue;
    add(found.list, reading,
        {.box = scaled({row[3], row[4], row[5], row[6]}, width, height),
         .score = row[2],
         .labelId = *label,
         .row = static_cast<std::size_t>(i)});
  }
  return found;
}

}  // namespace

std::optional<Candidates> decodeSsd(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1) return std::nullopt;
  return readRows(tensors[0].values, reading);
}

std::optional<Candidates> decodeMaskRcnn(const Tensors& tensors, const Reading& reading) {
  const cv::Mat* rows = findTensor(tensors, "detection_out_final");
  const cv::Mat* masks = findTensor(tensors, "detection_masks");
  if (!rows || !masks || !hasShape(*masks, {-1, -1, -1, -1})) return std::nullopt;
  std::optional<Candidates> found = readRows(*rows, reading);
  if (!found) return std::nullopt;
  if (std::ranges::any_of(found->list, [&](const Candidate& candidate) {
        return candidate.row >= static_cast<std::size_t>(masks->size[0]) ||
               candidate.labelId >= masks->size[1];
      }))
    return std::nullopt;
  found->maskOf = [masks = *masks](const Candidate& candidate) -> MaskGrid {
    const auto row = static_cast<int>(candidate.row);
    const auto label = static_cast<int>(candidate.labelId);
    // OpenCV has no read-only Mat.
    return {
        cv::Mat(masks.size[2], masks.size[3], CV_32F, const_cast<uchar*>(masks.ptr(row, label))),
        candidate.box};
  };
  return found;
}

}  // namespace elf
