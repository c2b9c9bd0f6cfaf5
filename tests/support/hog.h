// SPDX-License-Identifier: LGPL-2.1-or-later
// For tests that need the model `hog`, which not every build has.
#pragma once

#include "elf/server/inference_model.h"

namespace elf::testing {

/** Why they are skipped where hasHog() is false. */
constexpr const char* kNoHog = "built without OpenCV's HOG detector";

}  // namespace elf::testing
