// SPDX-License-Identifier: LGPL-2.1-or-later
// What a module of a runtime exports: a shared library of this project that is loaded when a model
// asks for it, so that nobody else pays for the runtime. Not installed.
#pragma once

#include "elf/runtime/session.h"

namespace elf {

/** Both may throw elf::Error, and whatever the runtime does. */
struct RuntimeModule {
  /** As openSession(). The caller deletes it. */
  Session* (*open)(const ModelFile& file, const std::vector<std::string>& files);
  /** Version and devices, as "2026.4.1: cpu gpu". */
  std::string (*describe)();
};

}  // namespace elf

/** Stands once in a module, outside of all namespaces. */
#define ELF_RUNTIME_MODULE(open, describe)                                                       \
  extern "C" __attribute__((visibility("default"))) const elf::RuntimeModule elf_runtime_module; \
  const elf::RuntimeModule elf_runtime_module = {open, describe};
