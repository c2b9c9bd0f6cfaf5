// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/model_file.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/network_address.h"
#include "elf/base/text_file.h"
#include "elf/model/key_reader.h"
#include "elf/model/model_names.h"
#include "elf/model/weight_files.h"

namespace elf {

namespace {

namespace fs = std::filesystem;

bool isLabelFile(const std::string& name) {
  return name.ends_with(".names") || name.ends_with(".txt");
}

std::vector<std::string> readLabels(const KeyReader& reader, const std::string& path) {
  if (!reader.has("model", "labels")) return {};
  std::vector<std::string> labels = reader.list("model", "labels");
  if (labels.size() != 1 || !isLabelFile(labels[0])) return labels;
  const std::string file = findBeside(path, labels[0], path + ": [model] labels");
  labels.clear();
  std::istringstream lines(readUtf8(file));
  for (std::string line; std::getline(lines, line);) labels.push_back(line);
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) throw Error(file, "holds no label");
  return labels;
}

/** A model for which there is only a network file or a library. */
ModelFile modelAt(const fs::path& path, ModelBackend backend) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) throw Error(path, "no such file");
  ModelFile model;
  model.name = path.stem();
  model.path = path;
  model.backend = backend;
  model.files = {path.filename()};
  return model;
}

ModelFile libraryAt(const fs::path& path) {
  ModelFile model = modelAt(path, ModelBackend::Library);
  if (model.name.starts_with("lib")) model.name.erase(0, 3);
  return model;
}

ModelFile networkAt(const fs::path& path, ModelBackend backend) {
  ModelFile model = modelAt(path, backend);
  model.openTask = true;
  model.rules.minScore = kUsualMinScore;
  return model;
}

bool isSha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/** Reads where the files are from. Their checksums must be known. */
void readOrigin(const KeyReader& reader, ModelFile& model) {
  reader.read("model", "licence", model.licence);
  if (!reader.has("model", "url")) return;
  model.urls = reader.list("model", "url");
  if (model.urls.size() != model.files.size() ||
      !std::ranges::all_of(model.urls, isHttpsOrThisMachine))
    reader.fail("model", "url", "not one https:// address per file");
  if (model.sha256.empty()) reader.fail("model", "url", "needs a sha256 for each file");
}

ModelFile load(const std::string& nameOrPath, bool isDetector);

std::string readDevice(const KeyReader& reader, ModelBackend backend) {
  const auto name = [](const char* text) {
    return std::pair<const char*, std::string>(text, text);
  };
  switch (backend) {
    case ModelBackend::TorchScript:
      return reader.choice<std::string>("model", "device", {name("cpu"), name("cuda")});
    case ModelBackend::OnnxRuntime:
      return reader.choice<std::string>("model", "device",
                                        {name("cpu"), name("cuda"), name("tensorrt")});
    case ModelBackend::OpenVino:
      return reader.choice<std::string>("model", "device", {name("cpu"), name("gpu"), name("npu")});
    default:
      return reader.choice<std::string>(
          "model", "device",
          {name("cpu"), name("cuda"), name("gpu"), name("npu"), name("tensorrt")});
  }
}

/** The weight files of a network or a library. */
void readFiles(const KeyReader& reader, ModelFile& model) {
  const bool one =
      model.backend == ModelBackend::TorchScript || model.backend == ModelBackend::Library;
  model.files = reader.list("model", "file");
  if (reader.has("model", "sha256")) {
    model.sha256 = reader.list("model", "sha256");
    if (model.sha256.size() != model.files.size() ||
        !std::all_of(model.sha256.begin(), model.sha256.end(), isSha256))
      reader.fail("model", "sha256", "not one checksum per file");
  }
  if (one && model.files.size() != 1) reader.fail("model", "file", "is not one file");
  const bool isOnnx = model.files.size() == 1 && model.files[0].ends_with(".onnx");
  if ((model.backend == ModelBackend::Onnx || model.backend == ModelBackend::OnnxRuntime) &&
      !isOnnx)
    reader.fail("model", "file", "is not one .onnx file");
}

/** Reads the settings of a network's runtime. */
void readRuntime(const KeyReader& reader, ModelFile& model) {
  if (reader.has("model", "device")) model.device = readDevice(reader, model.backend);
  reader.read("model", "precision", model.precision, kPrecisions);
  reader.read("model", "libraries", model.libraries);
  reader.read("input", "batch", model.batch);
}

/** Reads how a picture becomes a network's input. */
void readPreparation(const KeyReader& reader, ModelFile& model) {
  reader.read("input", "scale", model.scale);
  if (model.scale == 0.0) reader.fail("input", "scale", "is 0, which makes all pictures black");
  reader.read("input", "mean", model.mean);
  reader.read("input", "std", model.std);
  if (model.std && std::ranges::any_of(*model.std, [](double std) { return std == 0; }))
    reader.fail("input", "std", "holds a 0");
  reader.read("input", "colour", model.colour, kChannelOrders);
  reader.read("input", "fit", model.fit, kFits);
}

/** Reads how a network's outputs are decoded. */
void readDecoder(const KeyReader& reader, ModelFile& model) {
  const bool isTorch = model.backend == ModelBackend::TorchScript;
  const bool isRemote = model.backend == ModelBackend::Remote;
  reader.read("output", "decoder", model.decoder, kDecoders);
  if ((isTorch || isRemote) && isSecondStage(model.decoder))
    reader.fail("output", "decoder",
                "is of no use to backend " + std::string(toString(model.backend)));
  model.openTask = model.decoder == OutputDecoder::Auto && !reader.has("model", "task");
  requireTask(model);
  if (model.decoder == OutputDecoder::Objects && reader.has("output", "nms"))
    reader.fail("output", "nms", "is not used by decoder objects");
  reader.read("output", "nms", model.nms);
  if (model.nms && (*model.nms < 0 || *model.nms > 1))
    reader.fail("output", "nms", "is not between 0 and 1");
  if ((model.decoder == OutputDecoder::Auto || isRemote) && !reader.has("output", "min-score"))
    model.rules.minScore = kUsualMinScore;
}

/** Reads the names and types of a remote model's tensors. */
void readTensors(const KeyReader& reader, ModelFile& model) {
  reader.read(model.tensors);
  model.sendsTensor = reader.has("output", "decoder");
  if (model.sendsTensor)
    for (const char* key : {"boxes", "scores", "labels", "masks", "keypoints", "rotated"})
      if (reader.has("tensors", key))
        reader.fail("tensors", key, "has no meaning beside [output] decoder");
  reader.read("tensors", "layout", model.layout, kLayouts);
  reader.read("tensors", "datatype", model.datatype, kPictureTypes);
  reader.read("tensors", "orig-target-sizes", model.targetSizes);
  reader.read("tensors", "outputs", model.outputs);
}

/** Reads the detector, and takes the rules for pictures and parts from it. */
void readDetector(const KeyReader& reader, ModelFile& model) {
  const std::string name = reader.text("model", "detector");
  // The detector sees the whole pictures, and its file states how.
  for (const auto& [group, key] :
       {std::pair("input", "multiple-of"), std::pair("input", "min-size"),
        std::pair("input", "max-size"), std::pair("output", "nms"), std::pair("parts", "align"),
        std::pair("parts", "placed"), std::pair("parts", "context"),
        std::pair("parts", "context-share"), std::pair("parts", "object-size")})
    if (reader.has(group, key)) reader.fail(group, key, "is a matter of the detector's own file");
  if (reader.has("input", "max-batch"))
    reader.fail("input", "max-batch", "has no meaning where there is a detector");
  if (!reader.has("input", "size")) reader.fail("input", "size", "is missing");
  const bool classifies = model.decoder == OutputDecoder::Classes;
  if (!classifies && reader.has("model", "labels"))
    reader.fail("model", "labels", "is a matter of the detector's own file");

  const fs::path beside = fs::path(model.path).parent_path() / (name + kModelFiles.suffix);
  std::error_code ignored;
  const bool found = !model.path.empty() && fs::is_regular_file(beside, ignored);
  model.detector = std::make_shared<const ModelFile>(load(found ? beside.string() : name, true));
  // The files of these backends do not state their rules.
  if (model.detector->backend == ModelBackend::Library ||
      model.detector->backend == ModelBackend::Remote)
    reader.fail("model", "detector",
                "is of backend " + std::string(toString(model.detector->backend)));

  const ModelRules own = std::exchange(model.rules, model.detector->rules);
  ModelRules& rules = model.rules;
  model.boxInput = own.fixedSize;
  if (classifies) rules.labels = own.labels;
  // Boxes that get joints keep the detector's scores.
  if (classifies || reader.has("output", "min-score")) rules.minScore = own.minScore;
  if (classifies || reader.has("output", "sure-score")) rules.sureScore = own.sureScore;
  rules.masks = rules.rotated = false;
  rules.classified = classifies;
  rules.keypoints = own.keypoints;
  rules.skeleton = own.skeleton;

  if (!reader.has("model", "detector-labels")) return;
  model.detectorLabels = reader.list("model", "detector-labels");
  requireDetectorLabels(model, model.detector->rules.labels);
}

/** Reads the keys of all models. */
ModelRules readRules(const KeyReader& reader, const std::string& path) {
  ModelRules rules;
  enum class Task { Detection, Segmentation, Keypoints, Obb } task = Task::Detection;
  reader.read("model", "task", task,
              Names<Task>{{"detection", Task::Detection},
                          {"segmentation", Task::Segmentation},
                          {"keypoints", Task::Keypoints},
                          {"obb", Task::Obb}});
  rules.masks = task == Task::Segmentation;
  rules.rotated = task == Task::Obb;
  rules.labels = readLabels(reader, path);
  if (reader.has("input", "size") && reader.has("input", "multiple-of"))
    reader.fail("input", "multiple-of", "stands beside size");
  reader.read("input", "size", rules.fixedSize);
  reader.read("input", "multiple-of", rules.multipleOf);
  reader.read("input", "min-size", rules.minSize);
  reader.read("input", "max-size", rules.maxSize);
  reader.read("output", "min-score", rules.minScore);
  reader.read("output", "sure-score", rules.sureScore);
  reader.read("output", "keypoints", rules.keypoints);
  reader.read("output", "skeleton", rules.skeleton);
  if ((rules.keypoints > 0) != (task == Task::Keypoints))
    reader.fail("output", "keypoints",
                "is the number of joints of a model whose task is keypoints");
  reader.read("parts", "align", rules.align);
  reader.read("parts", "placed", rules.placed);
  reader.read("parts", "context", rules.context);
  reader.read("parts", "context-share", rules.contextShare);
  reader.read("parts", "object-size", rules.objectSize);
  if (const auto bad = badKey(rules)) reader.fail(groupOf(bad->key), bad->key, bad->why);
  return rules;
}

/** Fails for keys that the backend does not use. */
void refuseUseless(const KeyReader& reader, ModelBackend backend) {
  const bool isTorch = backend == ModelBackend::TorchScript;
  const bool isRemote = backend == ModelBackend::Remote;
  const bool isNetwork = runsNetwork(backend);
  const bool runsElsewhere = isNetwork && backend != ModelBackend::OpencvDnn;
  if (!isTorch) reader.refuse(&Group::torchKeys);
  if (!runsElsewhere) reader.refuse(&Group::deviceKeys);
  if (backend != ModelBackend::OpenVino) reader.refuse(&Group::precisionKeys);
  if (!isNetwork && !isRemote) reader.refuse(&Group::networkKeys);
  if (!isNetwork) reader.refuse(&Group::localKeys);
  if (!isNetwork && backend != ModelBackend::Library) reader.refuse(&Group::fileKeys);
  if (!isRemote) reader.refuse(&Group::remoteKeys);
  if (backend != ModelBackend::Simulated) reader.refuse(&Group::simulatedKeys);
  if (backend == ModelBackend::Hog || isRemote) reader.refuse(&Group::batchKeys);
}

ModelFile parse(const std::string& text, const std::string& name, const std::string& path,
                bool isDetector) {
  const KeyReader reader(text, path);
  reader.checkKeys();
  ModelFile model;
  model.name = name;
  model.path = path;
  model.backend = reader.choice("model", "backend", kBackends);
  model.rules = readRules(reader, path);
  refuseUseless(reader, model.backend);
  const bool isRemote = model.backend == ModelBackend::Remote;
  reader.read("input", "max-batch", model.maxBatch);
  if (model.maxBatch < 1 || model.maxBatch > kMaxBatch)
    reader.fail("input", "max-batch", "is not between 1 and " + std::to_string(kMaxBatch));
  if (model.backend == ModelBackend::Hog) return model;
  if (model.backend == ModelBackend::Simulated) {
    reader.readMilliseconds("simulated", "fixed-ms", model.fixedMs);
    reader.readMilliseconds("simulated", "ms-per-megapixel", model.msPerMegapixel);
    return model;
  }
  if (isRemote) {
    readTensors(reader, model);
  } else {
    readFiles(reader, model);
    if (model.backend == ModelBackend::Library) return model;
    readRuntime(reader, model);
    readOrigin(reader, model);
  }
  readPreparation(reader, model);
  readDecoder(reader, model);
  // A client gets the rest of a remote network from its server.
  if (isRemote) return model;
  if (isSecondStage(model.decoder)) {
    if (isDetector) reader.fail("output", "decoder", "needs a detector, and cannot be one");
    readDetector(reader, model);
  } else {
    for (const char* key : {"detector", "detector-labels"})
      if (reader.has("model", key))
        reader.fail("model", key, "is of use to the decoders heat-maps, simcc and classes alone");
  }
  if (model.decoder != OutputDecoder::Auto) model = withConvention(std::move(model));
  return model;
}

ModelFile load(const std::string& nameOrPath, bool isDetector) {
  if (nameOrPath.ends_with(".so")) return libraryAt(nameOrPath);
  if (nameOrPath.ends_with(".onnx")) return networkAt(nameOrPath, ModelBackend::Onnx);
  if (nameOrPath.ends_with(".torchscript") || nameOrPath.ends_with(".pt"))
    return networkAt(nameOrPath, ModelBackend::TorchScript);
  const DataFile file = readDataFile(kModelFiles, nameOrPath);
  const std::string name = file.path.empty() ? nameOrPath : fs::path(file.path).stem().string();
  return parse(file.content, name, file.path, isDetector);
}

}  // namespace

ModelFile remoteModel(const std::string& name) {
  ModelFile model;
  model.name = name;
  model.backend = ModelBackend::Remote;
  model.openTask = true;
  model.rules.minScore = kUsualMinScore;
  return model;
}

ModelFile parseModelFile(const std::string& text, const std::string& name,
                         const std::string& path) {
  return parse(text, name, path, false);
}

ModelFile loadModelFile(const std::string& nameOrPath) {
  return load(nameOrPath, false);
}

}  // namespace elf
