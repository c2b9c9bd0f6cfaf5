// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks a model's answer against the promises of InferenceModel: models come from users too. Not
// installed.
#pragma once

#include <span>
#include <vector>

#include "elf/server/inference_model.h"

namespace elf {

/**
 * InferenceModel::run() with checks. Fails with a sentence that names the model if it throws, if a
 * box is empty, not finite or reaches out of the picture, if a score is not finite or below
 * rules().minScore, if a mask is missing or not over its box, if a rotated box is missing or does
 * not match its box, if the number of joints is not that of rules() or a joint is not finite, or if
 * there are more objects or mask pixels than a client accepts (wire::kMaxDetections,
 * kMaxMaskPixels).
 */
InferenceModel::Answer checkedRun(InferenceModel& model, const ImageView& bgr,
                                  const Placement& placement);

/**
 * The same for InferenceModel::runBatch(): a result for each of `pictures`. A single picture uses
 * run(), and so does each one that failed in a batch: it must fail on its own, not because there
 * was no memory for all.
 */
std::vector<InferenceModel::Answer> checkedRunBatch(InferenceModel& model,
                                                    std::span<const PlacedPicture> pictures);

}  // namespace elf
