// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/inference_model.h"

#include "elf/server/backends.h"

namespace elf {

std::unique_ptr<InferenceModel> InferenceModel::create(const ModelFile& file) {
  switch (file.backend) {
    case ModelBackend::Hog:
      return createHogModel(file);
    case ModelBackend::OpencvDnn:
      return file.detector ? createStagedModel(file) : createDnnModel(file);
    case ModelBackend::Simulated:
      return createSimulatedModel(file);
    case ModelBackend::Remote:
      break;
  }
  throw Error(file.path + ": [model] backend", "is remote: another server runs this model");
}

}  // namespace elf
