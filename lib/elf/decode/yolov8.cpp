// SPDX-License-Identifier: LGPL-2.1-or-later
// Ultralytics' raw layouts: a column for each cell of the grids, a row for each of its numbers.
#include <cmath>
#include <numbers>

#include "elf/decode/prototypes.h"
#include "elf/decode/rows.h"

namespace elf {

namespace {

/** 4 rows of the box, one for each class, then `own` more. Unset if `tensor` has another layout. */
struct Columns {
  const float* values = nullptr;
  std::size_t count = 0, classes = 0;

  float operator()(std::size_t row, std::size_t column) const {
    return values[row * count + column];
  }
};

std::optional<Columns> columnsOf(const cv::Mat& tensor, Size canvas, std::size_t own) {
  if (!hasShape(tensor, {1, -1, -1})) return std::nullopt;
  const auto rows = static_cast<std::size_t>(tensor.size[1]);
  const auto count = static_cast<std::size_t>(tensor.size[2]);
  // With more rows than columns it is YOLOv5's, unless the picture is small.
  if (rows < 5 + own || (rows > count && tensor.size[2] != cellsOf(canvas))) return std::nullopt;
  return Columns{tensor.ptr<float>(), count, rows - 4 - own};
}

/** Calls `take` with the candidate of each column that is strong enough. */
template <typename Take>
void forStrong(const Columns& columns, const Reading& reading, Take take) {
  for (std::size_t i = 0; i < columns.count; ++i) {
    const BestClass best(columns.values + 4 * columns.count + i, columns.classes, columns.count);
    if (best.score >= reading.minScore)
      take(
          Candidate{.box = aroundCentre(columns(0, i), columns(1, i), columns(2, i), columns(3, i)),
                    .score = best.score,
                    .labelId = best.id,
                    .row = i});
  }
}

}  // namespace

std::optional<Candidates> decodeYolov8(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1) return std::nullopt;
  const auto columns = columnsOf(tensors[0].values, reading.canvas, 0);
  if (!columns) return std::nullopt;
  Candidates found{.classes = columns->classes};
  forStrong(*columns, reading,
            [&](Candidate candidate) { add(found.list, reading, std::move(candidate)); });
  return found;
}

std::optional<Candidates> decodeYolov8Columns(const Tensors& tensors, const Reading& reading) {
  const NamedTensor* const prototypes = findPrototypes(tensors, reading.canvas);
  if (!prototypes || tensors.size() != 2) return std::nullopt;
  const NamedTensor& head = tensors[prototypes == &tensors[0] ? 1 : 0];
  const auto masks = static_cast<std::size_t>(prototypes->values.size[1]);
  const auto columns = columnsOf(head.values, reading.canvas, masks);
  if (!columns) return std::nullopt;
  Candidates found{.classes = columns->classes};
  forStrong(*columns, reading,
            [&](Candidate candidate) { add(found.list, reading, std::move(candidate)); });
  found.maskOf = [columns = *columns, prototypes = prototypes->values](const Candidate& candidate) {
    return maskOf(
        prototypes, candidate.box,
        {&columns.values[(4 + columns.classes) * columns.count + candidate.row], columns.count});
  };
  return found;
}

std::optional<Candidates> decodeYolov8Pose(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1 || reading.keypoints == 0) return std::nullopt;
  const auto joints = static_cast<std::size_t>(reading.keypoints);
  const auto columns = columnsOf(tensors[0].values, reading.canvas, 3 * joints);
  if (!columns) return std::nullopt;
  Candidates found{.classes = columns->classes};
  forStrong(*columns, reading, [&](Candidate candidate) {
    for (std::size_t j = 0; j < joints; ++j) {
      const std::size_t row = 4 + columns->classes + 3 * j;
      candidate.keypoints.push_back({(*columns)(row, candidate.row),
                                     (*columns)(row + 1, candidate.row),
                                     std::clamp((*columns)(row + 2, candidate.row), 0.0F, 1.0F)});
    }
    add(found.list, reading, std::move(candidate));
  });
  return found;
}

std::optional<Candidates> decodeYolov8Obb(const Tensors& tensors, const Reading& reading) {
  if (tensors.size() != 1) return std::nullopt;
  const auto columns = columnsOf(tensors[0].values, reading.canvas, 1);
  if (!columns) return std::nullopt;
  Candidates found{.classes = columns->classes};
  forStrong(*columns, reading, [&](Candidate candidate) {
    rotate(candidate, (*columns)(4 + columns->classes, candidate.row));
    add(found.list, reading, std::move(candidate));
  });
  return found;
}

}  // namespace elf
