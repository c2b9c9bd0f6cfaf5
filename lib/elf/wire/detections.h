// SPDX-License-Identifier: LGPL-2.1-or-later
// Detections as tensors (docs/wire.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "elf/base/error.h"
#include "elf/geometry/box.h"
#include "elf/model/tensor_names.h"
#include "elf/types/detection.h"
#include "elf/types/model_rules.h"
#include "elf/wire/infer.h"

namespace elf::wire {

inline constexpr std::size_t kMaxDetections = 1000;
/** Joints of all detections together. */
inline constexpr std::int64_t kMaxJoints = 1 << 15;

/**
 * `boxes`, `scores` and `labels` (docs/wire.md) for `detections`, in their order; `masks`,
 * `keypoints` and `rotated` if the model has them. A detection without a mask gets an empty one.
 * Missing joints are added as unseen, and a missing rotated box is the upright one.
 */
std::vector<Tensor> encodeDetections(std::span<const Detection> detections,
                                     const ModelRules& rules = {});

/**
 * The detections of a response, in the pixels of the sent part, from outputs of those `names`.
 * Numbers may have any type that holds them, labels any integer type, and shapes one leading batch
 * dimension of 1. Boxes are clipped to `sent`, and empty ones left out. Masks, keypoints and
 * rotated boxes are read if `rules` say that the model has them, and may be missing. Fails, naming
 * the output, if another one is missing, or if one has a wrong shape or type, disagrees in length
 * with the others, or holds a number that is not finite, a joint farther away than any picture is
 * wide, a rotated box that is not possible(), more than `kMaxDetections`, more than `kMaxJoints`,
 * or masks of more than `kMaxMaskPixels`.
 */
Result<std::vector<Detection>> decodeDetections(const InferResponse& response,
                                                const ModelRules& rules, Size sent,
                                                const TensorNames& names = {});

}  // namespace elf::wire
