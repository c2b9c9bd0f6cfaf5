// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/remote_network.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <opencv2/core.hpp>
#include <optional>
#include <utility>

#include "elf/base/printable.h"
#include "elf/decode/decoder.h"
#include "elf/decode/input_tensor.h"
#include "elf/decode/recognise.h"
#include "elf/wire/tensor_bytes.h"

namespace elf {

namespace {

using wire::DataType;
using wire::TensorSpec;

constexpr int kChannels = 3;
/** Grid of a picture of any size, if it is not stated: the coarsest of most networks. */
constexpr int kUsualMultiple = 32;

std::optional<PictureType> pictureType(DataType type) {
  switch (type) {
    case DataType::Fp32:
      return PictureType::Fp32;
    case DataType::Fp16:
      return PictureType::Fp16;
    case DataType::Uint8:
      return PictureType::Uint8;
    default:
      return std::nullopt;
  }
}

DataType dataType(PictureType type) {
  switch (type) {
    case PictureType::Fp32:
      return DataType::Fp32;
    case PictureType::Fp16:
      return DataType::Fp16;
    case PictureType::Uint8:
      break;
  }
  return DataType::Uint8;
}

bool channelsLast(TensorLayout layout) {
  return layout == TensorLayout::Nhwc || layout == TensorLayout::Hwc;
}

bool isBatch(TensorLayout layout) {
  return layout == TensorLayout::Nchw || layout == TensorLayout::Nhwc;
}

/** By the place of three channels. */
std::optional<TensorLayout> layoutOf(const std::vector<std::int64_t>& shape) {
  if (shape.size() == 4 && shape[1] == kChannels) return TensorLayout::Nchw;
  if (shape.size() == 4 && shape[3] == kChannels) return TensorLayout::Nhwc;
  if (shape.size() == 3 && shape[0] == kChannels) return TensorLayout::Chw;
  if (shape.size() == 3 && shape[2] == kChannels) return TensorLayout::Hwc;
  return std::nullopt;
}

bool isPicture(const TensorSpec& input) {
  return pictureType(input.type) && layoutOf(input.shape);
}

/** Width and height of a picture, or of each of a batch. */
bool isSizes(const TensorSpec& input) {
  return (input.type == DataType::Int64 || input.type == DataType::Int32) && !input.shape.empty() &&
         input.shape.size() <= 2 && (input.shape.back() == 2 || input.shape.back() == -1);
}

/** "images FP32 [1,3,640,640]" */
std::string describe(const TensorSpec& tensor) {
  std::string text = printable(tensor.name) + " " + std::string(toString(tensor.type)) + " [";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i)
    text += (i > 0 ? "," : "") + std::to_string(tensor.shape[i]);
  return text + "]";
}

/** Whether the outputs are those of docs/wire.md: the server itself decodes the objects. */
bool tellsObjects(const wire::ModelMetadata& metadata, const TensorNames& names) {
  const auto find = [&](const std::string& name) {
    return std::ranges::find(metadata.outputs, name, &TensorSpec::name);
  };
  const auto boxes = find(names.boxes), end = metadata.outputs.end();
  return boxes != end && find(names.scores) != end && find(names.labels) != end &&
         boxes->shape.size() == 2;
}

/** Whether a server with this metadata takes the tensor of a network. */
bool tellsTensor(const wire::ModelMetadata& metadata, const TensorNames& names) {
  return std::ranges::count_if(metadata.inputs, isPicture) == 1 &&
         std::ranges::all_of(
             metadata.inputs,
             [](const TensorSpec& input) { return isPicture(input) || isSizes(input); }) &&
         !metadata.outputs.empty() && !tellsObjects(metadata, names);
}

[[noreturn]] void refusePicture(const TensorSpec& input) {
  throw Error("its input " + describe(input),
              "no picture goes into it (that takes FP32, FP16 or UINT8, and three channels)");
}

/** The input that takes the picture, among one or more. */
const TensorSpec& pictureAmong(const std::vector<TensorSpec>& inputs, const ModelFile& file) {
  const bool isNamed = file.tensors.image != TensorNames().image;
  const TensorSpec* found = nullptr;
  for (const TensorSpec& input : inputs) {
    const bool fits = pictureType(input.type) && (layoutOf(input.shape) || file.layout);
    if (isNamed ? input.name != file.tensors.image : !fits) continue;
    if (found)
      throw Error("its inputs " + describe(*found) + " and " + describe(input),
                  "which takes the picture? (say [tensors] image in a .model file)");
    found = &input;
  }
  if (!found && isNamed) throw Error("its inputs", "none is called '" + file.tensors.image + "'");
  if (!found) refusePicture(inputs[0]);
  return *found;
}

/** Layout of the server's input `picture`; throws if the file states another one. */
TensorLayout layoutOf(const TensorSpec& picture, const ModelFile& file) {
  const std::optional<TensorLayout> told = layoutOf(picture.shape);
  const std::optional<PictureType> type = pictureType(picture.type);
  if (!type || (!told && !file.layout)) refusePicture(picture);
  const TensorLayout layout = file.layout.value_or(told.value_or(TensorLayout::Nchw));
  const std::string described = "its input " + describe(picture);
  if ((told && *told != layout) || picture.shape.size() != (isBatch(layout) ? 4U : 3U))
    throw Error(described,
                "is not of the .model file's [tensors] layout " + std::string(toString(layout)));
  if (file.datatype && *file.datatype != *type)
    throw Error(described, "is not of the .model file's [tensors] datatype " +
                               std::string(toString(*file.datatype)));
  return layout;
}

/** The input besides `picture`, which takes its size; without a name if there is none. */
NetworkInputs::Input sizesAmong(const std::vector<TensorSpec>& inputs, const TensorSpec& picture,
                                const ModelFile& file) {
  NetworkInputs::Input sizes{.name = file.targetSizes, .type = DataType::Int64};
  for (const TensorSpec& input : inputs) {
    if (&input == &picture) continue;
    if (!isSizes(input) || (!sizes.name.empty() && input.name != sizes.name))
      throw Error("its input " + describe(input), "is neither the picture nor its size");
    sizes = {.name = input.name, .type = input.type};
  }
  return sizes;
}

/** `rules` with the size that the server states for the input `picture`. */
ModelRules withSize(ModelRules rules, const TensorSpec& picture, TensorLayout layout) {
  const std::string described = "its input " + describe(picture);
  const std::size_t rows = (isBatch(layout) ? 1 : 0) + (channelsLast(layout) ? 0 : 1);
  const std::int64_t height = picture.shape[rows], width = picture.shape[rows + 1];
  if (height <= 0 || width <= 0) {
    if ((height > 0 || width > 0) && rules.fixedSize.empty())
      throw Error(described, "one side alone is of any size (say [input] size in a .model file)");
    if (rules.fixedSize.empty() && rules.multipleOf == 1) rules.multipleOf = kUsualMultiple;
    return rules;
  }
  if (height > kMaxPixels || width > kMaxPixels) throw Error(described, "is too large");
  const Size told{static_cast<int>(width), static_cast<int>(height)};
  if (!rules.fixedSize.empty() && rules.fixedSize != told)
    throw Error(described, "is not of the .model file's [input] size " +
                               std::to_string(rules.fixedSize.width) + ";" +
                               std::to_string(rules.fixedSize.height));
  rules.fixedSize = told;
  rules.multipleOf = 1;
  return rules;
}

NetworkInput infoOf(const TensorSpec& input) {
  NetworkInput info{.name = input.name};
  for (const std::int64_t extent : input.shape)
    info.shape.push_back(static_cast<int>(std::clamp<std::int64_t>(extent, -1, kMaxPixels)));
  return info;
}

/** A tensor of numbers as FP32; empty for another. FP32 is shared, not copied. */
cv::Mat floatsOf(const wire::Tensor& tensor, const std::vector<int>& shape) {
  // OpenCV has no read-only Mat.
  auto* const data = const_cast<std::uint8_t*>(tensor.data.data());
  if (tensor.type == DataType::Fp32) return {shape, CV_32F, data};
  cv::Mat values(shape, CV_32F);
  if (tensor.type == DataType::Fp16) {
    // Faster than one by one.
    cv::Mat(shape, CV_16F, data).convertTo(values, CV_32F);
    return values;
  }
  if (tensor.type == DataType::Bool) {
    cv::Mat(shape, CV_8U, data).convertTo(values, CV_32F);
    return values;
  }
  float* to = values.ptr<float>();
  const auto add = [&to](float value) { *to++ = value; };
  return wire::forEachFloat(tensor, add) ? values : cv::Mat();
}

bool isWhole(DataType type) {
  return type != DataType::Fp16 && type != DataType::Bf16 && type != DataType::Fp32 &&
         type != DataType::Fp64;
}

/** The outputs of those names, or all if empty; valid as long as the answer. */
Result<Tensors> tensorsOf(const wire::InferResponse& answer,
                          const std::vector<std::string>& names) {
  constexpr std::int64_t kLongest = std::numeric_limits<int>::max();
  for (const std::string& name : names)
    if (std::ranges::find(answer.outputs, name, &wire::Tensor::name) == answer.outputs.end())
      return Result<Tensors>::failure("outputs: " + printable(name) + " is missing");
  Tensors tensors;
  for (const wire::Tensor& output : answer.outputs) {
    if (!names.empty() && std::ranges::find(names, output.name) == names.end()) continue;
    const std::string name = printable(output.name);
    if (output.type == DataType::Unknown && names.empty()) continue;
    if (output.type == DataType::Bytes || output.type == DataType::Unknown)
      return Result<Tensors>::failure(name + ": has datatype " +
                                      std::string(toString(output.type)) +
                                      " (numbers, such as FP32)");
    if (std::ranges::any_of(output.shape, [](std::int64_t size) { return size > kLongest; }))
      return Result<Tensors>::failure(name + ": is of no possible shape");
    std::vector<int> shape(output.shape.begin(), output.shape.end());
    if (shape.empty()) shape = {1};
    tensors.push_back({output.name, floatsOf(output, shape), isWhole(output.type)});
  }
  if (std::string why = notFinite(tensors); !why.empty())
    return Result<Tensors>::failure(std::move(why));
  return tensors;
}

/** Whether both have the same objects. */
bool areSame(const Candidates& a, const Candidates& b) {
  return a.classes == b.classes && !a.maskOf == !b.maskOf &&
         std::ranges::equal(a.list, b.list, [](const Candidate& one, const Candidate& other) {
           return one.box == other.box && one.score == other.score &&
                  one.labelId == other.labelId && one.keypoints == other.keypoints;
         });
}

cv::Mat withChannelsLast(const cv::Mat& planes) {
  const int rows = planes.size[2], columns = planes.size[3];
  std::array<cv::Mat, kChannels> each;
  for (int i = 0; i < kChannels; ++i)
    each[static_cast<std::size_t>(i)] =
        cv::Mat(rows, columns, CV_32F, const_cast<uchar*>(planes.ptr(0, i)));
  cv::Mat merged;
  cv::merge(each.data(), each.size(), merged);
  return merged;
}

/** Settings for the trial of a network whose decoder is not known. */
ModelFile provisional(ModelFile file) {
  if (!file.colour) file.colour = ChannelOrder::Rgb;
  // FP16 would overflow.
  if (!file.scale && !file.mean && !file.std) file.scale = 1.0 / 255;
  return withConvention(std::move(file));
}

}  // namespace

RemoteNetwork::RemoteNetwork(ModelFile told, NetworkInfo info, NetworkInputs inputs)
    : told_(std::move(told)), info_(std::move(info)), inputs_(std::move(inputs)) {
  ModelFile file = told_;
  // Such a network is assumed to take values of 0 to 255.
  if (inputs_.picture.type == DataType::Uint8 && !file.scale && !file.mean && !file.std)
    file.scale = 1;
  file_ = file.decoder == OutputDecoder::Auto ? provisional(std::move(file))
                                              : withConvention(std::move(file));
  rgbFile_ = file_;
  // Swapping the order of the input swaps the order that the network gets.
  rgbFile_.colour = file_.colour == ChannelOrder::Rgb ? ChannelOrder::Bgr : ChannelOrder::Rgb;
}

Result<RemoteNetwork::Ptr> RemoteNetwork::of(const ModelFile& file,
                                             const wire::ModelMetadata& metadata) try {
  const bool isNetwork =
      file.backend == ModelBackend::Remote || (runsNetwork(file.backend) && !file.detector);
  if (!isNetwork || (!file.sendsTensor && !tellsTensor(metadata, file.tensors))) return Ptr();
  ModelFile told = file;
  NetworkInfo info{.platform = metadata.platform};
  NetworkInputs inputs{
      .picture = {file.tensors.image, dataType(file.datatype.value_or(PictureType::Fp32))},
      .layout = file.layout.value_or(TensorLayout::Nchw),
      .sizes = {file.targetSizes, DataType::Int64}};
  if (!metadata.inputs.empty()) {
    const TensorSpec& picture = pictureAmong(metadata.inputs, file);
    inputs = {.picture = {picture.name, picture.type},
              .layout = layoutOf(picture, file),
              .sizes = sizesAmong(metadata.inputs, picture, file)};
    told.rules = withSize(std::move(told.rules), picture, inputs.layout);
    info.inputs.push_back(infoOf(picture));
  } else if (file.rules.fixedSize.empty() && file.rules.multipleOf == 1) {
    throw Error("its metadata",
                "they tell no size of pictures (say [input] size or multiple-of in a .model file)");
  } else {
    info.inputs.push_back({.name = inputs.picture.name});
  }
  if (!inputs.sizes.name.empty())
    info.inputs.push_back({.name = inputs.sizes.name, .integer = true});
  if (const auto bad = badKey(told.rules))
    throw Error("its metadata", std::string(bad->key) + " " + bad->why);
  if (told.rules.minScore == 0 && !told.sendsTensor) told.rules.minScore = kUsualMinScore;
  return Ptr(new RemoteNetwork(std::move(told), std::move(info), std::move(inputs)));
} catch (const Error& error) {
  return Result<Ptr>::failure(error.what());
}

bool RemoteNetwork::takesSame(const RemoteNetwork& other) const {
  const ModelFile& a = file_;
  const ModelFile& b = other.file_;
  const auto sizesOf = [](const ModelRules& rules) {
    return std::array{rules.fixedSize, rules.minSize, rules.maxSize,
                      Size{rules.multipleOf, rules.multipleOf}};
  };
  return this == &other || (inputs_ == other.inputs_ && sizesOf(a.rules) == sizesOf(b.rules) &&
                            a.colour == b.colour && a.scale == b.scale && a.mean == b.mean &&
                            a.std == b.std && a.fit == b.fit);
}

double RemoteNetwork::bytesPerPixel() const {
  return kChannels * static_cast<double>(wire::elementSize(inputs_.picture.type));
}

wire::Tensor RemoteNetwork::prepare(std::span<const std::uint8_t> rgb, Size size) const {
  // OpenCV has no read-only Mat.
  const cv::Mat picture(size.height, size.width, CV_8UC3, const_cast<std::uint8_t*>(rgb.data()));
  const cv::Mat pixels = Canvas::ofPicture(picture, file_.rules, *file_.fit).pixels();
  cv::Mat values = inputTensor({&pixels, 1}, rgbFile_);
  const auto& [name, type] = inputs_.picture;
  wire::Tensor tensor{.name = name, .type = type};
  if (isBatch(inputs_.layout)) tensor.shape.push_back(1);
  if (channelsLast(inputs_.layout)) {
    values = withChannelsLast(values);
    tensor.shape.insert(tensor.shape.end(), {pixels.rows, pixels.cols, kChannels});
  } else {
    tensor.shape.insert(tensor.shape.end(), {kChannels, pixels.rows, pixels.cols});
  }
  const int count = static_cast<int>(pixels.total()) * kChannels;
  tensor.data.resize(static_cast<std::size_t>(count) * wire::elementSize(type));
  const int depth = type == DataType::Fp32 ? CV_32F : type == DataType::Fp16 ? CV_16F : CV_8U;
  cv::Mat to(1, count, depth, tensor.data.data());
  values.reshape(1, {1, count}).convertTo(to, depth);
  return tensor;
}

std::vector<wire::Tensor> RemoteNetwork::others(Size sent) const {
  const auto& [name, type] = inputs_.sizes;
  if (name.empty()) return {};
  const Size size = file_.rules.inputSize(sent);
  wire::Tensor sizes{.name = name, .type = type, .shape = {1, 2}};
  for (const std::int64_t side : {size.width, size.height}) {
    // The wire is little-endian, and so is this machine.
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&side);
    sizes.data.insert(sizes.data.end(), bytes, bytes + wire::elementSize(type));
  }
  return {sizes};
}

std::vector<wire::RequestedOutput> RemoteNetwork::outputs(bool binary) const {
  std::vector<wire::RequestedOutput> outputs;
  for (const std::string& name : file_.outputs) outputs.push_back({name, binary});
  return outputs;
}

Size RemoteNetwork::trialSize() const {
  return file_.rules.fixedSize.empty() ? Size{320, 320} : file_.rules.fixedSize;
}

wire::Tensor RemoteNetwork::trial() const {
  const Size size = trialSize();
  cv::Mat noise(size.height, size.width, CV_8UC3);
  cv::RNG(1).fill(noise, cv::RNG::UNIFORM, 0, 256);
  return prepare({noise.data, noise.total() * noise.elemSize()}, size);
}

// The outputs without which the decoder would read something else, or nothing.
std::vector<std::string> RemoteNetwork::outputsRead(const Tensors& tensors, Size canvas) const {
  const Decoder decode = decoderFor(file_.decoder);
  const Reading reading{.canvas = canvas,
                        .minScore = std::numeric_limits<float>::lowest(),
                        .keypoints = file_.rules.keypoints,
                        .labels = file_.rules.labels.size()};
  Tensors left = tensors;
  std::optional<Candidates> all = decode(left, reading);
  // Masks are not used then.
  if (all && !file_.rules.masks) all->maskOf = nullptr;
  for (std::size_t i = left.size(); left.size() > 1 && i-- > 0;) {
    Tensors fewer = left;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    std::optional<Candidates> found = decode(fewer, reading);
    if (found && !file_.rules.masks) found->maskOf = nullptr;
    if (all && found && !all->list.empty() && areSame(*all, *found)) left = std::move(fewer);
  }
  std::vector<std::string> names;
  for (const NamedTensor& tensor : left) names.push_back(tensor.name);
  return names;
}

Result<RemoteNetwork::Ptr> RemoteNetwork::tried(const std::string& url,
                                                const wire::InferResponse& answer) const try {
  const Result<Tensors> tensors = tensorsOf(answer, told_.outputs);
  if (!tensors) return Result<Ptr>::failure(url + ": " + tensors.error());
  ModelFile told = told_;
  const Size canvas = file_.rules.inputSize(trialSize());
  if (told.decoder == OutputDecoder::Auto)
    told = recognise(url, std::move(told), info_, tensors.value(), canvas);
  RemoteNetwork known(std::move(told), info_, inputs_);
  const auto found = toDetections(tensors.value(), decoderFor(known.file_.decoder),
                                  known.canvasOf(trialSize()), known.file_);
  if (!found) return Result<Ptr>::failure(url + ": " + found.error());
  known.file_.outputs = known.outputsRead(tensors.value(), canvas);
  return Ptr(new RemoteNetwork(std::move(known)));
} catch (const Error& error) {
  return Result<Ptr>::failure(error.what());
} catch (const std::exception& error) {
  return Result<Ptr>::failure(url + ": " + printable(error.what()));
}

Result<std::vector<Detection>> RemoteNetwork::read(const wire::InferResponse& answer,
                                                   Size sent) const try {
  using Found = Result<std::vector<Detection>>;
  const Result<Tensors> tensors = tensorsOf(answer, file_.outputs);
  if (!tensors) return Found::failure(tensors.error());
  Found found = toDetections(tensors.value(), decoderFor(file_.decoder), canvasOf(sent), file_);
  if (!found) return found;
  // As from the wire: a number is not a name.
  for (Detection& detection : found.value())
    if (std::cmp_greater_equal(detection.labelId, file_.rules.labels.size()))
      detection.label.clear();
  return found;
} catch (const std::exception& error) {
  return Result<std::vector<Detection>>::failure(printable(error.what()));
}

}  // namespace elf
