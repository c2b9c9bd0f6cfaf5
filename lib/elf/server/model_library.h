// SPDX-License-Identifier: LGPL-2.1-or-later
// Models that users bring as C++: a shared library that elf-server loads
// (docs/bring-your-own-model.md).
#pragma once

#include "elf/server/inference_model.h"

namespace elf {

/**
 * Raised whenever something changes that a model's library was compiled with: InferenceModel, and
 * the classes that its functions take and return.
 */
inline constexpr int kModelAbi = 3;

/** What a model's library exports as the symbol `elf_model_library`. */
struct ModelLibrary {
  /** kModelAbi as the library was compiled with it. Nothing else is looked at where it differs. */
  int abi;
  /**
   * Makes a model. `file` is the `.model` file that names the library, or, where the library itself
   * was named, has nothing but its name and path. Called once for each worker thread, in the thread
   * that starts the server. May throw std::exception, for instance elf::Error; the owner deletes
   * what it returns, never null. The library stays loaded until the process ends.
   */
  InferenceModel* (*create)(const ModelFile& file);
};

}  // namespace elf

/**
 * Stands once in a model's library, outside of all namespaces. `Class` is an elf::InferenceModel
 * that is made from a `const elf::ModelFile&`.
 */
#define ELF_MODEL_LIBRARY(Class)                                                               \
  extern "C" __attribute__((visibility("default"))) const elf::ModelLibrary elf_model_library; \
  const elf::ModelLibrary elf_model_library = {                                                \
      elf::kModelAbi,                                                                          \
      [](const elf::ModelFile& file) -> elf::InferenceModel* { return new Class(file); }};
