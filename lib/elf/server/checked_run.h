// SPDX-License-Identifier: LGPL-2.1-or-later
// A model's answer, held to what InferenceModel promises: models come from users too. Not
// installed.
#pragma once

#include <span>
#include <vector>

#include "elf/server/inference_model.h"

namespace elf {

/**
 * InferenceModel::run(). Fails, with a sentence that names the model, also where it throws, or
 * where a box is empty, not finite or reaches out of the picture, a score is not finite or below
 * rules().minScore, a mask is missing or lies elsewhere than over its box, there are not as many
 * joints as rules() say or one is nowhere, or there are more objects or mask pixels than a client
 * takes (wire::kMaxDetections, kMaxMaskPixels).
 */
InferenceModel::Answer checkedRun(InferenceModel& model, const ImageView& bgr,
                                  const Placement& placement);

/**
 * The same of InferenceModel::runBatch(): a result for each of `pictures`. One picture goes to
 * run(), and so does each that fails among others: it shall fail for itself alone, and not because
 * there was no memory for all.
 */
std::vector<InferenceModel::Answer> checkedRunBatch(InferenceModel& model,
                                                    std::span<const PlacedPicture> pictures);

}  // namespace elf
