// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/runtime/session.h"

#include <dlfcn.h>

#include <exception>
#include <filesystem>
#include <opencv2/core/version.hpp>
#include <string_view>

#include "elf/base/printable.h"
#include "elf/runtime/onnx_file.h"
#include "elf/runtime/opencv_session.h"
#include "elf/runtime/runtime_module.h"

namespace elf {

namespace {

/** Modules are installed beside this library. */
const char* libraryOf(ModelBackend backend) {
  return backend == ModelBackend::OnnxRuntime ? "libelfvision-onnxruntime.so.0"
                                              : "libelfvision-openvino.so.0";
}

/**
 * The file of OpenVINO's library, set by useOpenVinoIn(). Empty: the dynamic linker looks for it.
 * No destructor: as every static object.
 */
std::string& openVinoLibrary() {
  static auto* const library = new std::string;
  return *library;
}

/** Null with the reason in `why` if it cannot be loaded. It stays loaded. */
const RuntimeModule* loadModule(ModelBackend backend, std::string& why) {
  // The dynamic linker does not look for a library of whose name it has one.
  const bool preloaded = backend != ModelBackend::OpenVino || openVinoLibrary().empty() ||
                         dlopen(openVinoLibrary().c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const library = preloaded ? dlopen(libraryOf(backend), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!library) {
    why = printable(dlerror(), 500);
    return nullptr;
  }
  return static_cast<const RuntimeModule*>(dlsym(library, "elf_runtime_module"));
}

std::unique_ptr<Session> openIn(const RuntimeModule& module, const ModelFile& file,
                                const std::vector<std::string>& files) {
  try {
    return std::unique_ptr<Session>(module.open(file, files));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(files[0], "cannot be loaded: " + printable(error.what(), 500));
  }
}

std::unique_ptr<Session> openIn(ModelBackend backend, const ModelFile& file,
                                const std::vector<std::string>& files) {
  std::string why;
  if (const RuntimeModule* module = loadModule(backend, why)) return openIn(*module, file, files);
  throw Error(file.path + ": [model] backend",
              "is " + std::string(toString(backend)) + ", which cannot be used here: " + why);
}

/** The best available backend that has the device. `file` has the backend `onnx`. */
ModelBackend bestFor(const ModelFile& file) {
  const bool onlyOnnxRuntime = file.device == "cuda" || file.device == "tensorrt";
  const bool onlyOpenVino = file.device == "gpu" || file.device == "npu";
  std::string why;
  if (!onlyOpenVino && loadModule(ModelBackend::OnnxRuntime, why)) return ModelBackend::OnnxRuntime;
  if (!onlyOnnxRuntime && loadModule(ModelBackend::OpenVino, why)) return ModelBackend::OpenVino;
  if (onlyOnnxRuntime || onlyOpenVino)
    throw Error(file.path + ": [model] device", "is " + file.device + ", for which " +
                                                    (onlyOpenVino ? "OpenVINO" : "ONNX Runtime") +
                                                    " must be here: " + why);
  return ModelBackend::OpencvDnn;
}

}  // namespace

std::unique_ptr<Session> openSession(const ModelFile& file, const std::vector<std::string>& files) {
  // Runtimes report other files differently, and some at length.
  if (files[0].ends_with(".onnx")) requireOnnx(files[0]);
  const ModelBackend backend = file.backend == ModelBackend::Onnx ? bestFor(file) : file.backend;
  if (backend == ModelBackend::OpencvDnn) return openOpencvSession(file, files);
  return openIn(backend, file, files);
}

void useOpenVinoIn(const std::string& folder) {
  // The module takes the one version that it was built with, which is the number in the name.
  constexpr std::string_view kName = "libopenvino.so.";
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(kName) && name.size() > kName.size() &&
        name.find_first_not_of("0123456789", kName.size()) == std::string::npos)
      found.push_back(std::filesystem::absolute(entry.path()));
  }
  if (error) throw Error(folder, error.message());
  if (found.size() != 1)
    throw Error(folder, std::string(found.empty() ? "has no " : "has more than one ") +
                            std::string(kName) +
                            "NUMBER (give the folder of OpenVINO's libraries)");
  openVinoLibrary() = found[0];
}

std::vector<RuntimeState> listRuntimes() {
  std::vector<RuntimeState> states;
  for (const ModelBackend backend : {ModelBackend::OnnxRuntime, ModelBackend::OpenVino}) {
    RuntimeState state{.backend = std::string(toString(backend))};
    if (const RuntimeModule* module = loadModule(backend, state.state)) {
      try {
        state.state = module->describe();
        state.usable = true;
      } catch (const std::exception& error) {
        state.state = printable(error.what());
      }
    }
    states.push_back(std::move(state));
  }
  states.push_back({"opencv-dnn", CV_VERSION ": cpu", true});
  return states;
}

}  // namespace elf
