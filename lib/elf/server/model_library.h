// SPDX-License-Identifier: LGPL-2.1-or-later
// Models in C++ that users bring: shared libraries that elf-server loads
// (docs/bring-your-own-model.md).
#pragma once

#include "elf/server/inference_model.h"

namespace elf {

/**
 * Raised with each change to the classes that a model's library was compiled with: InferenceModel,
 * and the classes that its functions take and return.
 */
inline constexpr int kModelAbi = 3;

/** A model's library exports it as the symbol `elf_model_library`. */
struct ModelLibrary {
  /** The library's kModelAbi when it was compiled. If it differs, no other field is read. */
  int abi;
  /**
   * Makes a model. `file` is the `.model` file that names the library. If the library itself was
   * named, `file` has only its name and path. Called once for each worker thread, in the thread
   * that starts the server. May throw std::exception, for instance elf::Error. Never returns null.
   * The caller owns the result. The library stays loaded until the process ends.
   */
  InferenceModel* (*create)(const ModelFile& file);
};

}  // namespace elf

/**
 * Use once in a model's library, outside all namespaces. `Class` is an elf::InferenceModel with a
 * constructor from a `const elf::ModelFile&`.
 */
#define ELF_MODEL_LIBRARY(Class)                                                               \
  extern "C" __attribute__((visibility("default"))) const elf::ModelLibrary elf_model_library; \
  const elf::ModelLibrary elf_model_library = {                                                \
      elf::kModelAbi,                                                                          \
      [](const elf::ModelFile& file) -> elf::InferenceModel* { return new Class(file); }};
