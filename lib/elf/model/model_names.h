// SPDX-License-Identifier: LGPL-2.1-or-later
// The values of keys in `.model` files. Not installed.
#pragma once

#include <initializer_list>
#include <utility>

#include "elf/model/model_file.h"

namespace elf {

template <typename Enum>
using Names = std::initializer_list<std::pair<const char*, Enum>>;

inline constexpr Names<ModelBackend> kBackends = {{"hog", ModelBackend::Hog},
                                                  {"library", ModelBackend::Library},
                                                  {"onnx", ModelBackend::Onnx},
                                                  {"onnxruntime", ModelBackend::OnnxRuntime},
                                                  {"opencv-dnn", ModelBackend::OpencvDnn},
                                                  {"openvino", ModelBackend::OpenVino},
                                                  {"remote", ModelBackend::Remote},
                                                  {"simulated", ModelBackend::Simulated},
                                                  {"torchscript", ModelBackend::TorchScript}};

inline constexpr Names<OutputDecoder> kDecoders = {{"auto", OutputDecoder::Auto},
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

inline constexpr Names<TensorLayout> kLayouts = {{"NCHW", TensorLayout::Nchw},
                                                 {"NHWC", TensorLayout::Nhwc},
                                                 {"CHW", TensorLayout::Chw},
                                                 {"HWC", TensorLayout::Hwc}};

inline constexpr Names<PictureType> kPictureTypes = {
    {"FP32", PictureType::Fp32}, {"FP16", PictureType::Fp16}, {"UINT8", PictureType::Uint8}};

inline constexpr Names<ChannelOrder> kChannelOrders = {{"bgr", ChannelOrder::Bgr},
                                                       {"rgb", ChannelOrder::Rgb}};

inline constexpr Names<Fit> kFits = {
    {"corner", Fit::Corner}, {"centre", Fit::Centre}, {"stretch", Fit::Stretch}};

inline constexpr Names<Precision> kPrecisions = {
    {"f32", Precision::F32}, {"f16", Precision::F16}, {"bf16", Precision::Bf16}};

}  // namespace elf
