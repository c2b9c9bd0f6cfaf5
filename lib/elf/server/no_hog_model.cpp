// SPDX-License-Identifier: LGPL-2.1-or-later
// Replaces hog_model.cpp if OpenCV has no HOG detector or the build does not want it.
#include "elf/base/error.h"
#include "elf/server/backends.h"

namespace elf {

bool hasHog() {
  return false;
}

std::unique_ptr<InferenceModel> createHogModel(const ModelFile& file) {
  throw Error((file.path.empty() ? file.name : file.path) + ": [model] backend",
              "is hog, which this build lacks (build Elf with -Dhog=enabled)");
}

}  // namespace elf
