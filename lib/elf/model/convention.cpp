// SPDX-License-Identifier: LGPL-2.1-or-later
// How the networks of each decoder were trained, by their authors' and exporters' own code.
#include <array>

#include "elf/model/model_file.h"

namespace elf {

namespace {

constexpr std::array<double, 3> kNone{0, 0, 0}, kOne{1, 1, 1};
constexpr std::array<double, 3> kImageNetMean{123.675, 116.28, 103.53},
    kImageNetStd{58.395, 57.12, 57.375};

struct Convention {
  ChannelOrder colour = ChannelOrder::Bgr;
  double scale = 1;
  std::array<double, 3> mean = kNone, std = kOne;
  Fit fit = Fit::Corner;
  double nms = 0.45;
};

/** For networks that output each object once. */
constexpr double kNoNms = 1;
constexpr double kUnit = 1.0 / 255;

Convention conventionOf(OutputDecoder decoder) {
  switch (decoder) {
    case OutputDecoder::Auto:  // tries what most networks take
      return {.colour = ChannelOrder::Rgb, .scale = kUnit};
    case OutputDecoder::Objects:
      return {.colour = ChannelOrder::Rgb, .scale = kUnit, .nms = kNoNms};
    case OutputDecoder::MmDeploy:  // RTMDet's, which keeps OpenCV's order
      return {.mean = {103.53, 116.28, 123.675}, .std = {57.375, 57.12, 58.395}, .nms = kNoNms};
    case OutputDecoder::DarknetRegion:
      return {.colour = ChannelOrder::Rgb, .scale = kUnit};
    case OutputDecoder::Yolov5:
      return {.colour = ChannelOrder::Rgb, .scale = kUnit, .fit = Fit::Centre};
    case OutputDecoder::Yolov8:
    case OutputDecoder::Yolov8Seg:
    case OutputDecoder::Yolov8Pose:
    case OutputDecoder::Yolov8Obb:
      return {.colour = ChannelOrder::Rgb, .scale = kUnit, .fit = Fit::Centre, .nms = 0.7};
    case OutputDecoder::EndToEnd:
    case OutputDecoder::EndToEndSeg:
    case OutputDecoder::EndToEndPose:
    case OutputDecoder::EndToEndObb:
      return {.colour = ChannelOrder::Rgb, .scale = kUnit, .fit = Fit::Centre, .nms = kNoNms};
    case OutputDecoder::RtDetr:
    case OutputDecoder::RtDetrLogits:
    case OutputDecoder::RtDetrRows:
      return {.colour = ChannelOrder::Rgb, .scale = kUnit, .fit = Fit::Stretch, .nms = kNoNms};
    case OutputDecoder::RfDetr:
      return {.colour = ChannelOrder::Rgb,
              .mean = kImageNetMean,
              .std = kImageNetStd,
              .fit = Fit::Stretch,
              .nms = kNoNms};
    case OutputDecoder::FastestDet:
      return {.scale = kUnit};
    case OutputDecoder::NanoDet:
      return {.mean = {103.53, 116.28, 123.675}, .std = {57.375, 57.12, 58.395}};
    case OutputDecoder::UltraFace:
      return {.colour = ChannelOrder::Rgb, .mean = {127, 127, 127}, .std = {128, 128, 128}};
    case OutputDecoder::HeatMaps:
    case OutputDecoder::SimCc:
      return {.colour = ChannelOrder::Rgb, .mean = kImageNetMean, .std = kImageNetStd};
    case OutputDecoder::Yolox:
    case OutputDecoder::YoloxDecoded:
    case OutputDecoder::Ssd:
    case OutputDecoder::MaskRcnn:
    case OutputDecoder::YuNet:
    case OutputDecoder::Classes:
      break;
  }
  return {};
}

}  // namespace

ModelFile withConvention(ModelFile model) {
  // TorchScript networks that output objects come from exporters of every kind.
  const bool unknown =
      model.backend == ModelBackend::TorchScript && model.decoder == OutputDecoder::Objects;
  const Convention usual = unknown ? Convention{} : conventionOf(model.decoder);
  // A file that states one of these was written for a network that takes values of 0 to 255.
  const bool saysScale = model.scale || model.mean || model.std;
  if (!model.colour) model.colour = usual.colour;
  if (!model.scale) model.scale = saysScale ? 1 : usual.scale;
  if (!model.mean) model.mean = saysScale ? kNone : usual.mean;
  if (!model.std) model.std = saysScale ? kOne : usual.std;
  if (!model.fit) model.fit = usual.fit;
  if (!model.nms) model.nms = usual.nms;
  return model;
}

}  // namespace elf
