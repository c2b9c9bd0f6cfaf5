// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks that output each object once: a row for each.
#include "elf/decode/prototypes.h"
#include "elf/decode/rows.h"

namespace elf {

namespace {

constexpr int kColumns = 6;

bool hasRows(const cv::Mat& tensor, int columns) {
  return hasShape(tensor, {1, -1, columns});
}

/** Calls `take` with the candidate of each row that is strong enough, and the row's further
 * numbers. */
template <typename Take>
void forStrong(const cv::Mat& tensor, const Reading& reading, Take take) {
  const int columns = tensor.size[2];
  const float* row = tensor.ptr<float>();
  for (int i = 0; i < tensor.size[1]; ++i, row += columns)
    if (const auto label = classOf(row[5]); label && row[4] > 0 && row[4] >= reading.minScore)
      take(Candidate{.box = {row[0], row[1], row[2], row[3]},
                     .score = row[4],
                     .labelId = *label,
                     .row = static_cast<std::size_t>(i)},
           row + kColumns);
}

}  // namespace

std::optional<Candidates> decodeEndToEnd(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1 || !hasRows(tensors[0].values, kColumns)) return std::nullopt;
  Candidates found;
  forStrong(tensors[0].values, reading, [&](Candidate candidate, const float*) {
    add(found.list, reading, std::move(candidate));
  });
  return found;
}

std::optional<Candidates> decodeEndToEndSeg(const Tensors& tensors, const Reading& reading) {
  const NamedTensor* const prototypes = findPrototypes(tensors, reading.canvas);
  if (!prototypes || tensors.size() != 2) return std::nullopt;
  const cv::Mat& rows = tensors[prototypes == &tensors[0] ? 1 : 0].values;
  if (!hasRows(rows, kColumns + prototypes->values.size[1])) return std::nullopt;
  Candidates found;
  forStrong(rows, reading, [&](Candidate candidate, const float*) {
    add(found.list, reading, std::move(candidate));
  });
  found.maskOf = [rows, prototypes = prototypes->values](const Candidate& candidate) {
    return maskOf(prototypes, candidate.box,
                  {rows.ptr<float>(0, static_cast<int>(candidate.row)) + kColumns});
  };
  return found;
}

std::optional<Candidates> decodeEndToEndPose(const Tensors& tensors, const Reading& reading) {
  const int joints = reading.keypoints;
  if (tensors.size() != 1 || joints == 0 || !hasRows(tensors[0].values, kColumns + 3 * joints))
    return std::nullopt;
  Candidates found;
  forStrong(tensors[0].values, reading, [&](Candidate candidate, const float* own) {
    for (int j = 0; j < joints; ++j, own += 3)
      candidate.keypoints.push_back({own[0], own[1], std::clamp(own[2], 0.0F, 1.0F)});
    add(found.list, reading, std::move(candidate));
  });
  return found;
}

std::optional<Candidates> decodeEndToEndObb(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1 || !hasRows(tensors[0].values, kColumns + 1)) return std::nullopt;
  Candidates found;
  forStrong(tensors[0].values, reading, [&](Candidate candidate, const float* own) {
    const Box& row = candidate.box;
    candidate.box = aroundCentre(row.x0, row.y0, row.x1, row.y1);
    rotate(candidate, own[0]);
    add(found.list, reading, std::move(candidate));
  });
  return found;
}

}  // namespace elf
