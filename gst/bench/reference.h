// SPDX-License-Identifier: LGPL-2.1-or-later
// What all modes are compared with: the model on whole frames whose pixels lost nothing.
#pragma once

#include "elf/model/model_file.h"
#include "gst/bench/input.h"
#include "gst/bench/measuring.h"

namespace elf::bench {

/**
 * Runs the model on every frame of the input, converted to BGR as videoconvert does, on as many
 * threads as there are cores. Throws elf::Error naming the model where it can't be loaded or fails.
 */
FrameDetections inferReference(const ModelFile& model, const Input& input,
                               const Progress& progress);

}  // namespace elf::bench
