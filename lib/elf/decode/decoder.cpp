// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/decoder.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "elf/base/printable.h"

namespace elf {

namespace {

/** Looks at the bits, which takes no time beside an inference. */
bool holdsNumbers(const cv::Mat& values) {
  constexpr std::uint32_t kExponent = 0x7F800000, kMinusInfinity = 0xFF800000;
  const auto count = values.total();
  if (count == 0) return true;
  const auto* const first = values.ptr<float>();
  bool isWrong = false, isFinite = false;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(first[i]);
    const bool special = (bits & kExponent) == kExponent;
    isFinite |= !special;
    isWrong |= special && bits != kMinusInfinity;
  }
  return isFinite && !isWrong;
}

}  // namespace

const cv::Mat* findTensor(const Tensors& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  return found == tensors.end() ? nullptr : &found->values;
}

bool hasShape(const cv::Mat& tensor, std::initializer_list<int> shape) {
  return tensor.type() == CV_32F && tensor.isContinuous() &&
         std::equal(shape.begin(), shape.end(), tensor.size.p, tensor.size.p + tensor.dims,
                    [](int wanted, int is) { return is > 0 && (wanted == -1 || wanted == is); });
}

std::string describe(const Tensors& tensors) {
  std::string text;
  for (const NamedTensor& tensor : tensors) {
    text += (text.empty() ? "" : ", ") + printable(tensor.name);
    for (int i = 0; i < tensor.values.dims; ++i)
      text += (i == 0 ? " " : "x") + std::to_string(tensor.values.size[i]);
  }
  return text;
}

std::string notFinite(const Tensors& tensors) {
  const auto wrong = std::ranges::find_if_not(tensors, holdsNumbers, &NamedTensor::values);
  if (wrong == tensors.end()) return {};
  return "the network's output " + describe({*wrong}) +
         " is not finite (look at [input] scale, mean and std, and at the precision)";
}

std::string unexpected(const Tensors& tensors) {
  return "the network's output, " + describe(tensors) + ", is not what [output] decoder expects";
}

std::string wrongLabels(std::size_t classes, const Labels& labels) {
  if (classes == 0 || labels.size() == 0 || labels.size() == classes) return {};
  return "[model] labels are " + std::to_string(labels.size()) + ", the network has " +
         std::to_string(classes) + " classes";
}

Decoder decoderFor(OutputDecoder layout) {
  switch (layout) {
    case OutputDecoder::Objects:
    case OutputDecoder::RtDetr:
      return decodeObjects;
    case OutputDecoder::MmDeploy:
      return decodeMmDeploy;
    case OutputDecoder::Yolox:
      return decodeYolox;
    case OutputDecoder::YoloxDecoded:
      return decodeYoloxDecoded;
    case OutputDecoder::DarknetRegion:
      return decodeDarknetRegion;
    case OutputDecoder::Yolov5:
      return decodeYolov5;
    case OutputDecoder::Yolov8:
      return decodeYolov8;
    case OutputDecoder::Yolov8Seg:
      return decodeYolov8Seg;
    case OutputDecoder::Yolov8Pose:
      return decodeYolov8Pose;
    case OutputDecoder::Yolov8Obb:
      return decodeYolov8Obb;
    case OutputDecoder::EndToEnd:
      return decodeEndToEnd;
    case OutputDecoder::EndToEndSeg:
      return decodeEndToEndSeg;
    case OutputDecoder::EndToEndPose:
      return decodeEndToEndPose;
    case OutputDecoder::EndToEndObb:
      return decodeEndToEndObb;
    case OutputDecoder::RtDetrLogits:
      return decodeDetr;
    case OutputDecoder::RfDetr:
      return decodeRfDetr;
    case OutputDecoder::RtDetrRows:
      return decodeRtDetrRows;
    case OutputDecoder::FastestDet:
      return decodeFastestDet;
    case OutputDecoder::NanoDet:
      return decodeNanoDet;
    case OutputDecoder::Ssd:
      return decodeSsd;
    case OutputDecoder::MaskRcnn:
      return decodeMaskRcnn;
    case OutputDecoder::UltraFace:
      return decodeUltraFace;
    case OutputDecoder::YuNet:
      return decodeYuNet;
    case OutputDecoder::Auto:
    case OutputDecoder::HeatMaps:
    case OutputDecoder::SimCc:
    case OutputDecoder::Classes:
      break;
  }
  return nullptr;
}

}  // namespace elf
