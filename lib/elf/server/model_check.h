// SPDX-License-Identifier: LGPL-2.1-or-later
// What a model does with one picture, whole and in parts: `elf-server --check`. Not installed.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "elf/agreement/agreement.h"
#include "elf/server/inference_model.h"

namespace elf {

/** How often the picture is run to see what that takes, after the first time. */
inline constexpr int kCheckedRuns = 5;

struct ModelCheck {
  /** In the whole picture, strongest first. */
  std::vector<Detection> found;
  /** What the first run took, and the median of kCheckedRuns that followed. */
  std::chrono::microseconds first{0}, median{0};
  /** The same of a picture among file().maxBatch of them that are run at once. */
  std::chrono::microseconds batched{0};
  /**
   * As elfpartition would cut for a next frame that holds the same, on two servers that take as
   * long as this run: around what extractRps() told, grown by a tenth on each side as a prediction
   * would be; or, where nothing was found, the picture in two.
   */
  std::vector<Part> parts;
  /** What merge() made of these. */
  std::vector<Detection> merged;
  /** How well `merged` agrees with `found`: the confident F1 of docs/elf-bench.md, 0..1. */
  double f1 = 1;
  /** Of all objects, sure or not: how many pairs have at least 0.5 of intersection over union, and
   * the mean of that. */
  std::size_t pairs = 0;
  double boxIou = 0;
  /** Of those that the whole picture is sure of. */
  eval::ShapeFigures shapes;
};

/** Runs a picture of format BGR, not empty. Fails as checkedRun() does. */
Result<ModelCheck> checkModel(InferenceModel& model, const ImageView& bgr);

}  // namespace elf
