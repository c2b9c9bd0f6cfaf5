// SPDX-License-Identifier: LGPL-2.1-or-later
// In the place of hog_model.cpp where OpenCV has no HOG detector, or nobody wants it.
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
