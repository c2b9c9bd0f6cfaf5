// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/inference_model.h"

#include "elf/server/backends.h"

namespace elf {

std::unique_ptr<InferenceModel> InferenceModel::create(const ModelFile& file) {
  return file.backend == ModelBackend::Hog ? createHogModel(file) : createDnnModel(file);
}

}  // namespace elf
