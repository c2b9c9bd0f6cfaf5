// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/model_file.h"

#include <glib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "elf/base/checksum.h"
#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/network_address.h"

namespace elf {

namespace {

namespace fs = std::filesystem;

constexpr std::initializer_list<std::pair<const char*, ModelBackend>> kBackends = {
    {"hog", ModelBackend::Hog},
    {"library", ModelBackend::Library},
    {"onnx", ModelBackend::Onnx},
    {"onnxruntime", ModelBackend::OnnxRuntime},
    {"opencv-dnn", ModelBackend::OpencvDnn},
    {"openvino", ModelBackend::OpenVino},
    {"remote", ModelBackend::Remote},
    {"simulated", ModelBackend::Simulated},
    {"torchscript", ModelBackend::TorchScript}};

constexpr std::initializer_list<std::pair<const char*, OutputDecoder>> kDecoders = {
    {"auto", OutputDecoder::Auto},
    {"objects", OutputDecoder::Objects},
    {"mmdeploy", OutputDecoder::MmDeploy},
    {"yolox", OutputDecoder::Yolox},
    {"yolox-decoded", OutputDecoder::YoloxDecoded},
    {"darknet-region", OutputDecoder::DarknetRegion},
    {"yolov5", OutputDecoder::Yolov5},
    {"yolov8", OutputDecoder::Yolov8},
    {"yolov8-seg", OutputDecoder::Yolov8Seg},
    {"yolov8-pose", OutputDecoder::Yolov8Pose},
    {"yolov8-obb", OutputDecoder::Yolov8Obb},
    {"end2end", OutputDecoder::EndToEnd},
    {"end2end-seg", OutputDecoder::EndToEndSeg},
    {"end2end-pose", OutputDecoder::EndToEndPose},
    {"end2end-obb", OutputDecoder::EndToEndObb},
    {"rt-detr", OutputDecoder::RtDetr},
    {"rt-detr-logits", OutputDecoder::RtDetrLogits},
    {"rt-detr-rows", OutputDecoder::RtDetrRows},
    {"rf-detr", OutputDecoder::RfDetr},
    {"fastestdet", OutputDecoder::FastestDet},
    {"nanodet", OutputDecoder::NanoDet},
    {"ssd", OutputDecoder::Ssd},
    {"mask-rcnn", OutputDecoder::MaskRcnn},
    {"ultraface", OutputDecoder::UltraFace},
    {"yunet", OutputDecoder::YuNet},
    {"heat-maps", OutputDecoder::HeatMaps},
    {"simcc", OutputDecoder::SimCc},
    {"classes", OutputDecoder::Classes}};

constexpr std::initializer_list<std::pair<const char*, TensorLayout>> kLayouts = {
    {"NCHW", TensorLayout::Nchw},
    {"NHWC", TensorLayout::Nhwc},
    {"CHW", TensorLayout::Chw},
    {"HWC", TensorLayout::Hwc}};

constexpr std::initializer_list<std::pair<const char*, PictureType>> kPictureTypes = {
    {"FP32", PictureType::Fp32}, {"FP16", PictureType::Fp16}, {"UINT8", PictureType::Uint8}};

template <typename Enum>
std::string_view nameOf(std::initializer_list<std::pair<const char*, Enum>> names, Enum value) {
  return std::ranges::find(names, value, &std::pair<const char*, Enum>::second)->first;
}

/** The keys of one group; but for `keys` those that only some backends have a use for. */
struct Group {
  using Keys = std::vector<std::string_view>;
  const char* name;
  Keys keys = {}, networkKeys = {}, localKeys = {}, fileKeys = {}, torchKeys = {}, deviceKeys = {},
       precisionKeys = {}, remoteKeys = {}, simulatedKeys = {}, batchKeys = {};
};

constexpr Group::Keys Group::*kKinds[] = {
    &Group::keys,          &Group::networkKeys, &Group::localKeys,     &Group::fileKeys,
    &Group::torchKeys,     &Group::deviceKeys,  &Group::precisionKeys, &Group::remoteKeys,
    &Group::simulatedKeys, &Group::batchKeys};

const std::vector<Group>& knownGroups() {
  static const auto* const groups = new std::vector<Group>{
      {.name = "model",
       .keys = {"backend", "labels", "task"},
       .localKeys = {"detector", "detector-labels", "url", "licence"},
       .fileKeys = {"file", "sha256"},
       .torchKeys = {"libraries"},
       .deviceKeys = {"device"},
       .precisionKeys = {"precision"}},
      {.name = "input",
       .keys = {"size", "multiple-of", "min-size", "max-size"},
       .networkKeys = {"scale", "mean", "std", "colour", "fit"},
       .torchKeys = {"batch"},
       .batchKeys = {"max-batch"}},
      {.name = "output",
       .keys = {"min-score", "sure-score", "keypoints", "skeleton"},
       .networkKeys = {"decoder", "nms"}},
      {.name = "parts", .keys = {"align", "placed", "context", "context-share", "object-size"}},
      {.name = "tensors",
       .remoteKeys = {"image", "boxes", "scores", "labels", "masks", "keypoints", "rotated",
                      "layout", "datatype", "orig-target-sizes", "outputs"}},
      {.name = "simulated", .simulatedKeys = {"fixed-ms", "ms-per-megapixel"}}};
  return *groups;
}

bool holds(const Group::Keys& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/** Typed access to the keys of one file; each error names the file and the key. */
class Reader {
 public:
  Reader(const std::string& text, std::string path)
      : path_(std::move(path)), file_(g_key_file_new()) {
    requireText(path_, text);
    GError* error = nullptr;
    if (!g_key_file_load_from_data(file_.get(), text.data(), text.size(), G_KEY_FILE_NONE, &error))
      throw Error(path_, takeReason(error));
  }

  void checkKeys() const {
    const Ref<gchar*> groups(g_key_file_get_groups(file_.get(), nullptr));
    for (char** group = groups.get(); *group; ++group) {
      const auto known = std::find_if(knownGroups().begin(), knownGroups().end(),
                                      [group](const Group& g) { return !strcmp(g.name, *group); });
      if (known == knownGroups().end()) throw Error(path_ + ": [" + *group + "]", "unknown group");
      const Ref<gchar*> keys(g_key_file_get_keys(file_.get(), *group, nullptr, nullptr));
      for (char** key = keys.get(); *key; ++key)
        if (std::ranges::none_of(kKinds, [&](auto kind) { return holds((*known).*kind, *key); }))
          fail(*group, *key, "unknown key");
    }
  }

  /** Fails for a key of the kind that `backend` has no use for. */
  void refuse(Group::Keys Group::*kind) const {
    for (const Group& group : knownGroups())
      for (const std::string_view key : group.*kind)
        if (has(group.name, key.data()))
          fail(group.name, key.data(), "is not used by backend " + text("model", "backend"));
  }

  [[noreturn]] void fail(const char* group, const char* key, const std::string& why) const {
    throw Error(path_ + ": [" + group + "] " + key, why);
  }

  bool has(const char* group, const char* key) const {
    return g_key_file_has_key(file_.get(), group, key, nullptr);
  }

  std::string text(const char* group, const char* key) const {
    const Ref<gchar> value(g_key_file_get_string(file_.get(), group, key, nullptr));
    if (!value || !*value) fail(group, key, has(group, key) ? "is empty" : "is missing");
    return g_strstrip(value.get());
  }

  std::vector<std::string> list(const char* group, const char* key) const {
    const Ref<gchar*> values(g_key_file_get_string_list(file_.get(), group, key, nullptr, nullptr));
    std::vector<std::string> list;
    if (values)
      for (char** value = values.get(); *value; ++value) list.emplace_back(g_strstrip(*value));
    if (list.empty() || std::find(list.begin(), list.end(), "") != list.end())
      fail(group, key, has(group, key) ? "is empty" : "is missing");
    return list;
  }

  template <typename T>
  void read(const char* group, const char* key, T& value) const {
    if (has(group, key)) value = number<T>(group, key, text(group, key));
  }

  template <typename T>
  void read(const char* group, const char* key, std::optional<T>& value) const {
    if (has(group, key)) read(group, key, value.emplace());
  }

  void read(const char* group, const char* key, bool& value) const {
    if (has(group, key)) value = choice<bool>(group, key, {{"true", true}, {"false", false}});
  }

  void read(const char* group, const char* key, Size& value) const {
    if (!has(group, key)) return;
    const std::vector<std::string> parts = list(group, key);
    if (parts.size() != 2) fail(group, key, "not WIDTH;HEIGHT");
    value = {number<int>(group, key, parts[0]), number<int>(group, key, parts[1])};
    if (value.empty()) fail(group, key, "not a possible size");
  }

  void read(const char* group, const char* key, std::array<double, 3>& value) const {
    if (!has(group, key)) return;
    const std::vector<std::string> parts = list(group, key);
    if (parts.size() != value.size()) fail(group, key, "not a list of three numbers");
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = number<double>(group, key, parts[i]);
  }

  /** Such as 0-1;1-2. */
  void readPairs(const char* group, const char* key, std::vector<std::array<int, 2>>& value) const {
    if (!has(group, key)) return;
    for (const std::string& pair : list(group, key)) {
      const std::size_t dash = pair.find('-');
      if (dash == std::string::npos) fail(group, key, "'" + pair + "' is not a pair such as 0-1");
      value.push_back({number<int>(group, key, pair.substr(0, dash)),
                       number<int>(group, key, pair.substr(dash + 1))});
    }
  }

  void read(TensorNames& names) const {
    for (const Group& group : knownGroups())
      for (const std::string_view key : group.remoteKeys)
        if (std::string* const name = tensorNamed(names, key); name && has(group.name, key.data()))
          *name = text(group.name, key.data());
  }

  void readMilliseconds(const char* group, const char* key, double& value) const {
    constexpr double kMost = 3'600'000;
    read(group, key, value);
    if (value < 0 || value > kMost) fail(group, key, "is not between 0 and 3600000");
  }

  template <typename Enum>
  Enum choice(const char* group, const char* key,
              std::initializer_list<std::pair<const char*, Enum>> choices) const {
    const std::string value = text(group, key);
    std::string names;
    for (const auto& [name, choice] : choices) {
      if (value == name) return choice;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    fail(group, key, "'" + value + "' is not one of: " + names);
  }

 private:
  template <typename T>
  T number(const char* group, const char* key, const std::string& text) const {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      fail(group, key, "'" + text + "' is not a possible number");
    if constexpr (std::is_floating_point_v<T>)
      if (!std::isfinite(value)) fail(group, key, "'" + text + "' is not a possible number");
    return value;
  }

  std::string path_;
  Ref<GKeyFile> file_;
};

/** Where files that a `.model` file at `modelPath` names may be; the first that has one wins. */
std::vector<std::string> foldersBeside(const std::string& modelPath) {
  std::vector<std::string> folders;
  if (!modelPath.empty()) folders.push_back(fs::path(modelPath).parent_path());
  for (std::string& folder : dataFolders(kModelFiles)) folders.push_back(std::move(folder));
  return folders;
}

std::optional<std::string> lookBeside(const std::string& modelPath, const std::string& file) {
  for (const std::string& folder : foldersBeside(modelPath)) {
    std::error_code ignored;
    const fs::path candidate = fs::path(folder) / file;
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  }
  return std::nullopt;
}

/**
 * Full name of a file that a `.model` file at `modelPath` names; `subject` and `remedy` are for the
 * error.
 */
std::string findBeside(const std::string& modelPath, const std::string& file,
                       const std::string& subject, const std::string& remedy = {}) {
  if (const auto found = lookBeside(modelPath, file)) return *found;
  std::string looked;
  for (const std::string& folder : foldersBeside(modelPath))
    looked += (looked.empty() ? "" : ":") + (folder.empty() ? "." : folder);
  throw Error(subject, "'" + file + "' is in none of " + looked + remedy);
}

bool isLabelFile(const std::string& name) {
  return name.ends_with(".names") || name.ends_with(".txt");
}

std::vector<std::string> readLabels(const Reader& reader, const std::string& path) {
  if (!reader.has("model", "labels")) return {};
  std::vector<std::string> labels = reader.list("model", "labels");
  if (labels.size() != 1 || !isLabelFile(labels[0])) return labels;
  const std::string file = findBeside(path, labels[0], path + ": [model] labels");
  labels.clear();
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    while (!line.empty() && g_ascii_isspace(line.back())) line.pop_back();
    if (!g_utf8_validate(line.data(), static_cast<gssize>(line.size()), nullptr))
      throw Error(file, "not UTF-8 text");
    labels.push_back(line);
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) throw Error(file, "holds no label");
  return labels;
}

bool givesMasks(OutputDecoder decoder) {
  return decoder == OutputDecoder::Yolov8Seg || decoder == OutputDecoder::EndToEndSeg ||
         decoder == OutputDecoder::MaskRcnn || decoder == OutputDecoder::RfDetr ||
         decoder == OutputDecoder::MmDeploy || decoder == OutputDecoder::Objects ||
         decoder == OutputDecoder::Auto;
}

bool givesKeypoints(OutputDecoder decoder, int count) {
  constexpr int kLandmarks = 5;
  switch (decoder) {
    case OutputDecoder::Auto:
    case OutputDecoder::Objects:
      return true;
    case OutputDecoder::HeatMaps:
    case OutputDecoder::SimCc:
    case OutputDecoder::Yolov8Pose:
    case OutputDecoder::EndToEndPose:
      return count > 0;
    case OutputDecoder::YuNet:
      return count == 0 || count == kLandmarks;
    default:
      return count == 0;
  }
}

/** The group of a key that ModelRules holds. */
const char* groupOf(std::string_view key) {
  for (const Group& group : knownGroups())
    if (holds(group.keys, key)) return group.name;
  return "";
}

void checkSum(const std::string& path, const std::string& expected) {
  const std::string is = sha256Of(path);
  if (is != expected) throw Error(path, "has sha256 " + is + ", not " + expected);
}

ModelFile libraryAt(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) throw Error(path, "no such file");
  ModelFile model;
  model.name = path.stem();
  if (model.name.starts_with("lib")) model.name.erase(0, 3);
  model.path = path;
  model.backend = ModelBackend::Library;
  model.files = {path.filename()};
  return model;
}

ModelFile networkAt(const fs::path& path, ModelBackend backend) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) throw Error(path, "no such file");
  ModelFile model;
  model.name = path.stem();
  model.path = path;
  model.backend = backend;
  model.files = {path.filename()};
  model.openTask = true;
  model.rules.minScore = kUsualMinScore;
  return model;
}

bool isSha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/** Where the files are from, whose checksums are known. */
void readOrigin(const Reader& reader, ModelFile& model) {
  if (reader.has("model", "licence")) model.licence = reader.text("model", "licence");
  if (!reader.has("model", "url")) return;
  model.urls = reader.list("model", "url");
  if (model.urls.size() != model.files.size() ||
      !std::ranges::all_of(model.urls, isHttpsOrThisMachine))
    reader.fail("model", "url", "not one https:// address per file");
  if (model.sha256.empty()) reader.fail("model", "url", "needs a sha256 for each file");
}

ModelFile load(const std::string& nameOrPath, bool isDetector);

std::string readDevice(const Reader& reader, ModelBackend backend) {
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
void readFiles(const Reader& reader, ModelFile& model) {
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

/** What the runtime of a network is told. */
void readRuntime(const Reader& reader, ModelFile& model) {
  if (reader.has("model", "device")) model.device = readDevice(reader, model.backend);
  if (reader.has("model", "precision"))
    model.precision = reader.choice<Precision>(
        "model", "precision",
        {{"f32", Precision::F32}, {"f16", Precision::F16}, {"bf16", Precision::Bf16}});
  if (reader.has("model", "libraries")) model.libraries = reader.list("model", "libraries");
  reader.read("input", "batch", model.batch);
}

/** What makes a network's input of a picture. */
void readPreparation(const Reader& reader, ModelFile& model) {
  reader.read("input", "scale", model.scale);
  if (model.scale == 0.0) reader.fail("input", "scale", "is 0, which makes all pictures black");
  reader.read("input", "mean", model.mean);
  reader.read("input", "std", model.std);
  if (model.std && std::ranges::any_of(*model.std, [](double std) { return std == 0; }))
    reader.fail("input", "std", "holds a 0");
  if (reader.has("input", "colour"))
    model.colour = reader.choice<ChannelOrder>(
        "input", "colour", {{"bgr", ChannelOrder::Bgr}, {"rgb", ChannelOrder::Rgb}});
  if (reader.has("input", "fit"))
    model.fit = reader.choice<Fit>(
        "input", "fit",
        {{"corner", Fit::Corner}, {"centre", Fit::Centre}, {"stretch", Fit::Stretch}});
}

/** How a network's outputs are read. */
void readDecoder(const Reader& reader, ModelFile& model) {
  const bool isTorch = model.backend == ModelBackend::TorchScript;
  const bool isRemote = model.backend == ModelBackend::Remote;
  if (reader.has("output", "decoder"))
    model.decoder = reader.choice<OutputDecoder>("output", "decoder", kDecoders);
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

/** What the server of a remote model calls its tensors, and what they are. */
void readTensors(const Reader& reader, ModelFile& model) {
  reader.read(model.tensors);
  model.sendsTensor = reader.has("output", "decoder");
  if (model.sendsTensor)
    for (const char* key : {"boxes", "scores", "labels", "masks", "keypoints", "rotated"})
      if (reader.has("tensors", key))
        reader.fail("tensors", key, "has no meaning beside [output] decoder");
  if (reader.has("tensors", "layout"))
    model.layout = reader.choice<TensorLayout>("tensors", "layout", kLayouts);
  if (reader.has("tensors", "datatype"))
    model.datatype = reader.choice<PictureType>("tensors", "datatype", kPictureTypes);
  if (reader.has("tensors", "orig-target-sizes"))
    model.targetSizes = reader.text("tensors", "orig-target-sizes");
  if (reader.has("tensors", "outputs")) model.outputs = reader.list("tensors", "outputs");
}

/** Reads the detector, and takes what the model's rules have from it. */
void readDetector(const Reader& reader, ModelFile& model) {
  const std::string name = reader.text("model", "detector");
  // What sees whole pictures is the detector, and its file says how.
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
  // Nobody knows the rules of either from its file.
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
  rules.keypoints = own.keypoints;
  rules.skeleton = own.skeleton;

  if (!reader.has("model", "detector-labels")) return;
  model.detectorLabels = reader.list("model", "detector-labels");
  requireDetectorLabels(model, model.detector->rules.labels);
}

ModelFile parse(const std::string& text, const std::string& name, const std::string& path,
                bool isDetector) {
  const Reader reader(text, path);
  reader.checkKeys();
  ModelFile model;
  model.name = name;
  model.path = path;
  model.backend = reader.choice("model", "backend", kBackends);
  ModelRules& rules = model.rules;
  enum class Task { Detection, Segmentation, Keypoints, Obb } task = Task::Detection;
  if (reader.has("model", "task"))
    task = reader.choice<Task>("model", "task",
                               {{"detection", Task::Detection},
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
  reader.readPairs("output", "skeleton", rules.skeleton);
  if ((rules.keypoints > 0) != (task == Task::Keypoints))
    reader.fail("output", "keypoints",
                "is the number of joints of a model whose task is keypoints");
  reader.read("parts", "align", rules.align);
  reader.read("parts", "placed", rules.placed);
  reader.read("parts", "context", rules.context);
  reader.read("parts", "context-share", rules.contextShare);
  reader.read("parts", "object-size", rules.objectSize);
  if (const auto bad = badKey(rules)) reader.fail(groupOf(bad->key), bad->key, bad->why);

  const bool isTorch = model.backend == ModelBackend::TorchScript;
  const bool isRemote = model.backend == ModelBackend::Remote;
  const bool isNetwork = runsNetwork(model.backend);
  const bool runsElsewhere = isNetwork && model.backend != ModelBackend::OpencvDnn;
  if (!isTorch) reader.refuse(&Group::torchKeys);
  if (!runsElsewhere) reader.refuse(&Group::deviceKeys);
  if (model.backend != ModelBackend::OpenVino) reader.refuse(&Group::precisionKeys);
  if (!isNetwork && !isRemote) reader.refuse(&Group::networkKeys);
  if (!isNetwork) reader.refuse(&Group::localKeys);
  if (!isNetwork && model.backend != ModelBackend::Library) reader.refuse(&Group::fileKeys);
  if (!isRemote) reader.refuse(&Group::remoteKeys);
  if (model.backend != ModelBackend::Simulated) reader.refuse(&Group::simulatedKeys);
  if (model.backend == ModelBackend::Hog || isRemote) reader.refuse(&Group::batchKeys);
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
  // A client learns more of a remote network from its server.
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

std::string_view toString(ModelBackend backend) {
  return nameOf(kBackends, backend);
}

std::string_view toString(OutputDecoder decoder) {
  return nameOf(kDecoders, decoder);
}

std::string_view toString(TensorLayout layout) {
  return nameOf(kLayouts, layout);
}

std::string_view toString(PictureType type) {
  return nameOf(kPictureTypes, type);
}

ModelFile remoteModel(const std::string& name) {
  ModelFile model;
  model.name = name;
  model.backend = ModelBackend::Remote;
  model.openTask = true;
  model.rules.minScore = kUsualMinScore;
  return model;
}

void requireTask(const ModelFile& model) {
  const std::string name = "decoder " + std::string(toString(model.decoder));
  if (model.rules.masks && !givesMasks(model.decoder))
    throw Error(model.path + ": [model] task", "is segmentation, and " + name + " gives no masks");
  if (model.rules.rotated && !tellsRotated(model.decoder) && model.decoder != OutputDecoder::Auto)
    throw Error(model.path + ": [model] task", "is obb, and " + name + " gives no rotated boxes");
  if (!givesKeypoints(model.decoder, model.rules.keypoints))
    throw Error(model.path + ": [output] keypoints", "is not what " + name + " gives");
}

void requireDetectorLabels(const ModelFile& model, const Labels& labels) {
  for (const std::string& label : model.detectorLabels)
    if (labels.size() > 0 && std::ranges::find(labels.names(), label) == labels.names().end())
      throw Error(model.path + ": [model] detector-labels",
                  "'" + label + "' is not a label of the detector " + model.detector->name);
}

ModelFile parseModelFile(const std::string& text, const std::string& name,
                         const std::string& path) {
  return parse(text, name, path, false);
}

ModelFile loadModelFile(const std::string& nameOrPath) {
  return load(nameOrPath, false);
}

std::vector<std::string> weightFiles(const ModelFile& model) {
  const std::string remedy =
      model.urls.empty() ? "" : " (elf-server --fetch " + model.path + " brings it)";
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    paths.push_back(findBeside(model.path, model.files[i], model.path + ": [model] file", remedy));
    if (!model.sha256.empty()) checkSum(paths.back(), model.sha256[i]);
  }
  return paths;
}

std::optional<std::string> findWeightFile(const ModelFile& model, const std::string& file) {
  return lookBeside(model.path, file);
}

}  // namespace elf
