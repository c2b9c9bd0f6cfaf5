// SPDX-License-Identifier: LGPL-2.1-or-later
// Models from shared libraries.
#include <dlfcn.h>

#include <exception>
#include <filesystem>
#include <string>

#include "elf/base/printable.h"
#include "elf/server/backends.h"
#include "elf/server/model_library.h"

namespace elf {

namespace {

/** Built from torch_model.cpp if there is LibTorch, and installed beside this library. */
constexpr const char* kTorchLibrary = "libelfvision-torch.so.0";

void* open(const std::string& library) {
  // Never closed: its classes live as long as the process.
  void* const loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!loaded) {
    // The error mostly begins with the library's name.
    std::string why = printable(dlerror(), 500);
    if (why.starts_with(library + ": ")) why.erase(0, library.size() + 2);
    throw Error(library, why);
  }
  return loaded;
}

std::unique_ptr<InferenceModel> createFrom(void* loaded, const std::string& library,
                                           const ModelFile& file) {
  const auto* const entry = static_cast<const ModelLibrary*>(dlsym(loaded, "elf_model_library"));
  if (!entry) throw Error(library, "not a model: it lacks ELF_MODEL_LIBRARY");
  if (entry->abi != kModelAbi)
    throw Error(library, "was compiled for version " + std::to_string(entry->abi) +
                             " of elf/server/model_library.h, this is version " +
                             std::to_string(kModelAbi));
  std::unique_ptr<InferenceModel> model;
  try {
    model.reset(entry->create(file));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(library, "makes no model: " + printable(error.what()));
  } catch (...) {
    throw Error(library, "makes no model: it throws something other than std::exception");
  }
  if (const auto bad = badKey(model->rules()))
    throw Error(library, std::string("its rules are impossible: ") + bad->key + " " + bad->why);
  return model;
}

}  // namespace

std::unique_ptr<InferenceModel> createLibraryModel(const ModelFile& file) {
  // A name without a slash would be searched among the system's libraries.
  const std::string library = std::filesystem::absolute(weightFiles(file)[0]);
  return createFrom(open(library), library, file);
}

std::unique_ptr<InferenceModel> createTorchModel(const ModelFile& file) {
  void* loaded = nullptr;
  try {
    loaded = open(kTorchLibrary);
  } catch (const Error& error) {
    throw Error(
        file.path + ": [model] backend",
        "is torchscript, for which Elf must be built with LibTorch: " + std::string(error.what()));
  }
  return createFrom(loaded, kTorchLibrary, file);
}

}  // namespace elf
