// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks in ONNX Runtime. A separate module that is loaded when a model asks for it.
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>

#include "elf/base/printable.h"
#include "elf/runtime/onnx_file.h"
#include "elf/runtime/runtime_module.h"

namespace elf {

namespace {

/**
 * Lives as long as the process: sessions need it, and its destructor would run at exit. Errors are
 * thrown and need no log.
 */
Ort::Env& environment() {
  static auto* const environment = new Ort::Env(ORT_LOGGING_LEVEL_FATAL, "elf");
  return *environment;
}

/**
 * Suppresses the hundreds of lines that Debian's build of ONNX Runtime writes to std::cerr for the
 * first session of a process, although nothing is wrong (findings/README.md). Delays other output
 * to std::cerr until it ends.
 */
class WithoutSchemaErrors {
 public:
  WithoutSchemaErrors() : cerr_(std::cerr.rdbuf(written_.rdbuf())) {}
  WithoutSchemaErrors(const WithoutSchemaErrors&) = delete;
  WithoutSchemaErrors& operator=(const WithoutSchemaErrors&) = delete;
  ~WithoutSchemaErrors() {
    std::cerr.rdbuf(cerr_);
    for (std::string line; std::getline(written_, line);) {
      if (!line.starts_with("Schema error: Trying to register schema with name "))
        std::cerr << line << '\n';
      else if (written_.peek() == '\n')
        written_.get();  // An empty line follows each.
    }
  }

 private:
  std::stringstream written_;
  std::streambuf* cerr_;
};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/** "cpu" for CPUExecutionProvider. */
std::string devices() {
  constexpr std::string_view kEnd = "ExecutionProvider";
  std::string names;
  for (std::string provider : Ort::GetAvailableProviders()) {
    if (provider.ends_with(kEnd)) provider.resize(provider.size() - kEnd.size());
    names += (names.empty() ? "" : " ") + lower(provider);
  }
  return names;
}

Ort::SessionOptions optionsFor(const ModelFile& file) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  try {
    if (file.device == "cuda") {
      options.AppendExecutionProvider_CUDA(OrtCUDAProviderOptions{});
    } else if (file.device == "tensorrt") {
      options.AppendExecutionProvider_TensorRT(OrtTensorRTProviderOptions{});
      options.AppendExecutionProvider_CUDA(OrtCUDAProviderOptions{});
    } else if (file.device != "cpu") {
      throw Ort::Exception("unknown", ORT_INVALID_ARGUMENT);
    }
  } catch (const Ort::Exception&) {
    throw Error(
        file.path + ": [model] device",
        "is " + file.device + ", which ONNX Runtime does not have (it has: " + devices() + ")");
  }
  return options;
}

/** A picture, or integers, of any type that networks have. */
class Input {
 public:
  Input(std::string name, const Ort::TypeInfo& type) : name_(std::move(name)) {
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    type_ = tensor.GetElementType();
    shape_ = tensor.GetShape();
  }

  const std::string& name() const { return name_; }
  bool isInteger() const {
    return type_ == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 ||
           type_ == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
  }
  bool isBytes() const { return type_ == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8; }
  /** 3 x H x W, or a batch of it. */
  bool isPicture() const { return (shape_.size() == 4 || shape_.size() == 3) && !isInteger(); }
  std::vector<int> shape() const {
    std::vector<int> sizes;
    for (const std::int64_t size : shape_) sizes.push_back(static_cast<int>(size));
    return sizes;
  }

  /** `image` is FP32 N x 3 x H x W. The result is valid until the next call. */
  Ort::Value picture(const cv::Mat& image) {
    cv::Mat own = channelsLast() ? withChannelsLast(image) : image;
    std::vector<std::int64_t> shape(own.size.p, own.size.p + own.dims);
    if (shape_.size() == 3) shape.erase(shape.begin());
    switch (type_) {
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
        return tensorOf<float>(own, shape, [](float value) { return value; });
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
        return tensorOf<Ort::Float16_t>(own, shape,
                                        [](float value) { return Ort::Float16_t(value); });
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
        return tensorOf<std::uint8_t>(own, shape,
                                      [](float value) { return cv::saturate_cast<uchar>(value); });
      default:
        throw Ort::Exception(name_ + " is of a type that no picture has", ORT_NOT_IMPLEMENTED);
    }
  }

  /** Width and height, once for each of `count` pictures. */
  Ort::Value sizes(int count, int width, int height) {
    cv::Mat sizes(count, 2, CV_32F);
    sizes.col(0).setTo(width);
    sizes.col(1).setTo(height);
    const std::vector<std::int64_t> shape{count, 2};
    if (type_ == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32)
      return tensorOf<std::int32_t>(sizes, shape, [](float v) { return static_cast<int>(v); });
    return tensorOf<std::int64_t>(sizes, shape, [](float v) { return std::int64_t(v); });
  }

 private:
  bool channelsLast() const { return shape_.size() == 4 && shape_[3] == 3 && shape_[1] != 3; }

  static cv::Mat withChannelsLast(const cv::Mat& image) {
    const std::vector<int> shape{image.size[0], image.size[2], image.size[3], 3};
    cv::Mat result(shape, CV_32F);
    for (int n = 0; n < shape[0]; ++n) {
      std::array<cv::Mat, 3> planes;
      for (int c = 0; c < 3; ++c)
        planes[static_cast<std::size_t>(c)] =
            cv::Mat(shape[1], shape[2], CV_32F, const_cast<uchar*>(image.ptr(n, c)));
      cv::Mat merged(shape[1], shape[2], CV_32FC3, result.ptr(n));
      cv::merge(planes.data(), planes.size(), merged);
    }
    return result;
  }

  template <typename T, typename Convert>
  Ort::Value tensorOf(const cv::Mat& values, const std::vector<std::int64_t>& shape,
                      Convert convert) {
    const std::size_t count = values.total();
    const float* const from = values.ptr<float>();
    bytes_.resize(count * sizeof(T));
    auto* const to = reinterpret_cast<T*>(bytes_.data());
    if constexpr (std::is_same_v<T, float>)
      std::memcpy(to, from, bytes_.size());
    else
      std::transform(from, from + count, to, convert);
    return Ort::Value::CreateTensor<T>(
        Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault), to, count, shape.data(),
        shape.size());
  }

  std::string name_;
  ONNXTensorElementDataType type_;
  std::vector<std::int64_t> shape_;
  std::vector<std::byte> bytes_;
};

template <typename T>
cv::Mat floats(const Ort::Value& value, const std::vector<int>& shape) {
  cv::Mat result(shape, CV_32F);
  const T* const from = value.GetTensorData<T>();
  std::transform(from, from + result.total(), result.ptr<float>(),
                 [](T each) { return static_cast<float>(each); });
  return result;
}

/** Converts to FP32. Copies only if it is another type. */
NamedTensor tensorOf(const std::string& name, Ort::Value& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  std::vector<int> shape;
  for (const std::int64_t size : info.GetShape()) shape.push_back(static_cast<int>(size));
  if (shape.empty()) shape = {1};
  switch (info.GetElementType()) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return {name, cv::Mat(shape, CV_32F, value.GetTensorMutableData<float>())};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return {name, floats<Ort::Float16_t>(value, shape)};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return {name, floats<double>(value, shape)};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return {name, floats<std::int64_t>(value, shape), true};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return {name, floats<std::int32_t>(value, shape), true};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return {name, floats<std::uint8_t>(value, shape), true};
    default:
      throw Ort::Exception("its output " + name + " is of a type that is not read",
                           ORT_NOT_IMPLEMENTED);
  }
}

class OnnxRuntimeSession : public Session {
 public:
  OnnxRuntimeSession(const ModelFile& file, const std::string& path) : Session({"onnx"}) {
    if (!path.ends_with(".onnx")) throw Error(file.path + ": [model] file", "not an .onnx file");
    Ort::SessionOptions options = optionsFor(file);
    // For weights in a separate file, even if the model is changed in memory.
    options.AddConfigEntry("session.model_external_initializers_file_folder_path",
                           std::filesystem::absolute(path).parent_path().c_str());
    try {
      load(file, path, options);
    } catch (const Ort::Exception& error) {
      throw Error(path, "ONNX Runtime cannot load it: " + printable(error.what(), 500));
    }
    info_.runtime = "ONNX Runtime " + Ort::GetVersionString() + ", " + file.device + ", f32";
    for (const Input& input : inputs_)
      info_.inputs.push_back({input.name(), input.isInteger(), input.isBytes(), input.shape()});
  }

  Result<Tensors> run(const cv::Mat& image) override try {
    std::vector<Ort::Value> values;
    values.push_back(inputs_[0].picture(image));
    if (inputs_.size() > 1)
      values.push_back(inputs_[1].sizes(image.size[0], image.size[3], image.size[2]));
    const auto names = [](const auto& list, const auto& nameOf) {
      std::vector<const char*> result;
      for (const auto& each : list) result.push_back(nameOf(each).c_str());
      return result;
    };
    const auto inputs = names(
        inputs_, [](const Input& input) -> auto& { return input.name(); });
    const auto outputs = names(
        outputs_, [](const std::string& name) -> auto& { return name; });
    results_ = session_->Run(Ort::RunOptions(), inputs.data(), values.data(), values.size(),
                             outputs.data(), outputs.size());
    Tensors tensors;
    for (std::size_t i = 0; i < results_.size(); ++i)
      tensors.push_back(tensorOf(outputs_[i], results_[i]));
    return tensors;
  } catch (const Ort::Exception& error) {
    return Result<Tensors>::failure(printable(error.what()));
  }

 private:
  void load(const ModelFile& file, const std::string& path, const Ort::SessionOptions& options) {
    const FreeShape free{.size = file.rules.multipleOf > 1 && file.boxInput.empty(),
                         .batch = file.maxBatch > 1};
    static std::atomic_flag notTheFirst;
    std::optional<WithoutSchemaErrors> quiet;
    if (!notTheFirst.test_and_set()) quiet.emplace();
    if (free.size || free.batch) {
      const std::string bytes = onnxWithFreeShape(path, free);
      session_.emplace(environment(), bytes.data(), bytes.size(), options);
    } else {
      session_.emplace(environment(), path.c_str(), options);
    }
    quiet.reset();
    Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < session_->GetInputCount(); ++i)
      inputs_.emplace_back(session_->GetInputNameAllocated(i, allocator).get(),
                           session_->GetInputTypeInfo(i));
    std::ranges::stable_partition(inputs_, &Input::isPicture);
    if (inputs_.empty() || !inputs_[0].isPicture()) throw Error(path, "does not take a picture");
    if (inputs_.size() > 2 || (inputs_.size() == 2 && !inputs_[1].isInteger()))
      throw Error(path, "takes more than a picture: " + printable(inputs_[1].name()));
    for (std::size_t i = 0; i < session_->GetOutputCount(); ++i)
      outputs_.emplace_back(session_->GetOutputNameAllocated(i, allocator).get());
    const Ort::ModelMetadata metadata = session_->GetModelMetadata();
    for (const auto& key : metadata.GetCustomMetadataMapKeysAllocated(allocator))
      info_.metadata[key.get()] =
          metadata.LookupCustomMetadataMapAllocated(key.get(), allocator).get();
  }

  std::optional<Ort::Session> session_;
  /** The picture first. */
  std::vector<Input> inputs_;
  std::vector<std::string> outputs_;
  /** The outputs of the last run. */
  std::vector<Ort::Value> results_;
};

Session* open(const ModelFile& file, const std::vector<std::string>& files) {
  return new OnnxRuntimeSession(file, files[0]);
}

std::string describe() {
  return Ort::GetVersionString() + ": " + devices();
}

}  // namespace

}  // namespace elf

ELF_RUNTIME_MODULE(elf::open, elf::describe)
