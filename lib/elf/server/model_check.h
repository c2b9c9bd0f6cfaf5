// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks a model on one picture, whole and in parts: `elf-server --check`. Not installed.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "elf/agreement/agreement.h"
#include "elf/server/inference_model.h"

namespace elf {

/** The number of timed runs after the first one. */
inline constexpr int kCheckedRuns = 5;

struct ModelCheck {
  /** In the whole picture, strongest first. */
  std::vector<Detection> found;
  /** The time of the first run, and the median of the kCheckedRuns after it. */
  std::chrono::microseconds first{0}, median{0};
  /** The median for a picture in a batch of file().maxBatch. */
  std::chrono::microseconds batched{0};
  /**
   * The parts that elfpartition would cut for a next frame with the same objects, on two servers as
   * fast as this run: around the boxes of extractRps(), grown by a tenth on each side as a
   * prediction would be. If nothing was found, the picture in two.
   */
  std::vector<Part> parts;
  /** The result of merge() for these parts. */
  std::vector<Detection> merged;
  /** The agreement of `merged` with `found`: the confident F1 of docs/elf-bench.md, 0..1. */
  double f1 = 1;
  /** For all objects, sure or not: the number of pairs with an intersection over union of at least
   * 0.5, and its mean. */
  std::size_t pairs = 0;
  double boxIou = 0;
  /** For objects that are sure in the whole picture. */
  eval::ShapeFigures shapes;
};

/** `bgr` has format BGR and is not empty. Fails as checkedRun() does. */
Result<ModelCheck> checkModel(InferenceModel& model, const ImageView& bgr);

}  // namespace elf
