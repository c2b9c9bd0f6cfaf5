// SPDX-License-Identifier: LGPL-2.1-or-later
// The reference for all modes: the model on whole, losslessly decoded frames.
#pragma once

#include "elf/model/model_file.h"
#include "gst/bench/input.h"
#include "gst/bench/measuring.h"

namespace elf::bench {

/**
 * Runs the model on every frame of the input, converted to BGR as videoconvert does, with one
 * thread per core. Throws elf::Error naming the model if it can't be loaded or fails.
 */
FrameDetections inferReference(const ModelFile& model, const Input& input,
                               const Progress& progress);

}  // namespace elf::bench
