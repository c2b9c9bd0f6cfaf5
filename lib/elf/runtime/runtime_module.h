// SPDX-License-Identifier: LGPL-2.1-or-later
// The export of a runtime's module: a shared library of this project that is loaded when a model
// asks for it, so that other models do not pay for the runtime. Not installed.
#pragma once

#include "elf/runtime/session.h"

namespace elf {

/** Both may throw elf::Error, and the runtime's exceptions. */
struct RuntimeModule {
  /** As openSession(). The caller owns the result. */
  Session* (*open)(const ModelFile& file, const std::vector<std::string>& files);
  /** Version and devices, such as "2026.4.1: cpu gpu". */
  std::string (*describe)();
};

}  // namespace elf

/** Use once in a module, outside all namespaces. */
#define ELF_RUNTIME_MODULE(open, describe)                                                       \
  extern "C" __attribute__((visibility("default"))) const elf::RuntimeModule elf_runtime_module; \
  const elf::RuntimeModule elf_runtime_module = {open, describe};
