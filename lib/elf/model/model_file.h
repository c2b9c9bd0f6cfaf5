// SPDX-License-Identifier: LGPL-2.1-or-later
// `.model` files describe a model: how it is run, and how parts are cut (docs/model-files.md).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elf/model/tensor_names.h"
#include "elf/types/model_rules.h"

namespace elf {

/** The backend that runs a model. */
enum class ModelBackend {
  Hog,          ///< `hog`: OpenCV's pedestrian detector, needs no file
  Library,      ///< `library`: a user's shared library (elf/server/model_library.h)
  Onnx,         ///< `onnx`: an ONNX file, in the best available runtime of three
  OnnxRuntime,  ///< `onnxruntime`: an ONNX file, run by ONNX Runtime
  OpencvDnn,    ///< `opencv-dnn`: a network file, run by OpenCV
  OpenVino,     ///< `openvino`: a network file, run by OpenVINO
  Remote,       ///< `remote`: a server other than elf-server
  Simulated,    ///< `simulated`: takes time and finds nothing
  TorchScript   ///< `torchscript`: a TorchScript file, run by LibTorch
};

/** The value of `[model] backend`. */
std::string_view toString(ModelBackend backend);

/**
 * The layout of a network's output tensors. elf/decode/decoder.h states their shapes. Each comment
 * begins with the value of `[output] decoder`.
 */
enum class OutputDecoder {
  Auto,           ///< `auto`: by names, shapes and metadata (elf/decode/recognise.h)
  Objects,        ///< `objects`: torchvision's boxes, labels, scores; TorchScript's own results
  MmDeploy,       ///< `mmdeploy`: MMDetection's networks as MMDeploy exports them
  Yolox,          ///< `yolox`
  YoloxDecoded,   ///< `yolox-decoded`: exported with the grid added
  DarknetRegion,  ///< `darknet-region`: YOLOv2 to v4 and Yolo-Fastest, as Darknet has them
  Yolov5,         ///< `yolov5`
  Yolov8,         ///< `yolov8`: Ultralytics' raw layout of v8 to 26, also YOLOv5u
  Yolov8Seg,      ///< `yolov8-seg`: the same with masks; also cut before the last layers
  Yolov8Pose,     ///< `yolov8-pose`: the same with joints
  Yolov8Obb,      ///< `yolov8-obb`: the same with rotated boxes
  EndToEnd,       ///< `end2end`: YOLOv10 and YOLO26 without suppression, or with one built in
  EndToEndSeg,    ///< `end2end-seg`
  EndToEndPose,   ///< `end2end-pose`
  EndToEndObb,    ///< `end2end-obb`
  RtDetr,         ///< `rt-detr`: RT-DETR, D-FINE and DEIM as their authors export them
  RtDetrLogits,   ///< `rt-detr-logits`: RT-DETR and D-FINE in the package transformers
  RtDetrRows,     ///< `rt-detr-rows`: Ultralytics' RT-DETR
  RfDetr,         ///< `rf-detr`: with or without masks
  FastestDet,     ///< `fastestdet`
  NanoDet,        ///< `nanodet`: NanoDet-Plus
  Ssd,            ///< `ssd`: the output of a DetectionOutput layer
  MaskRcnn,       ///< `mask-rcnn`: the same, and masks
  UltraFace,      ///< `ultraface`
  YuNet,          ///< `yunet`: faces and five landmarks of each
  HeatMaps,       ///< `heat-maps`: joints of one object; needs a detector
  SimCc,          ///< `simcc`: RTMPose's joints of one object; needs a detector
  Classes         ///< `classes`: the class of one object; needs a detector
};

/** The value of `[output] decoder`. */
std::string_view toString(OutputDecoder decoder);

/** Whether the network runs on each of the boxes that a detector finds. */
inline bool isSecondStage(OutputDecoder decoder) {
  return decoder == OutputDecoder::HeatMaps || decoder == OutputDecoder::SimCc ||
         decoder == OutputDecoder::Classes;
}

/** Whether the network outputs rotated boxes. */
inline bool tellsRotated(OutputDecoder decoder) {
  return decoder == OutputDecoder::Yolov8Obb || decoder == OutputDecoder::EndToEndObb;
}

enum class ChannelOrder { Bgr, Rgb };

/** The order of a picture's dimensions in a tensor. N is a leading dimension of one picture. */
enum class TensorLayout { Nchw, Nhwc, Chw, Hwc };
/** "NCHW" */
std::string_view toString(TensorLayout layout);

/** The type of a picture's tensor: `FP32`, `FP16`, `UINT8`. */
enum class PictureType { Fp32, Fp16, Uint8 };
/** "FP32" */
std::string_view toString(PictureType type);

/** How a picture is fitted to a network's size. */
enum class Fit {
  Corner,  ///< `corner`: scaled as a whole, in the upper left corner, grey right and below
  Centre,  ///< `centre`: the same in the middle, grey around
  Stretch  ///< `stretch`: each side scaled separately
};

/** OpenVINO's precision. */
enum class Precision { F32, F16, Bf16 };

inline constexpr int kMaxBatch = 64;

/** A checked `.model` file. Keys that the backend does not use are refused, not ignored. */
struct ModelFile {
  /** The file's name without folder and ending. Clients use it for the model. */
  std::string name;
  /** The path of the file. Empty for the built-in one. */
  std::string path;

  // [model]
  ModelBackend backend = ModelBackend::Hog;
  /** As named in the file. See weightFiles(). */
  std::vector<std::string> files;
  /** Checksums in lower-case hexadecimal, one for each of `files`. Empty: not checked. */
  std::vector<std::string> sha256;
  /**
   * The address of each of `files` (elf/fetch/model_fetch.h), by TLS or on this machine. Empty: not
   * stated. Each needs a checksum.
   */
  std::vector<std::string> urls;
  /** The licence of the files, in words. Empty: not stated. */
  std::string licence;
  /** Libraries with TorchScript operators, as dlopen() finds them or beside the file. */
  std::vector<std::string> libraries;
  /** As in the file: "cpu", "gpu", "npu", "cuda", "tensorrt". */
  std::string device = "cpu";
  Precision precision = Precision::F32;
  /** The task is not stated: whether objects have masks or joints depends on the network. */
  bool openTask = false;
  /**
   * The model whose boxes the network runs on. Null: it sees the whole picture. With a detector,
   * the [input] and [parts] in `rules` are the detector's, because it sees the pictures.
   */
  std::shared_ptr<const ModelFile> detector;
  /** The labels of the detector's objects that are used. Empty: all. */
  std::vector<std::string> detectorLabels;

  // [input], beyond what `rules` holds
  /** The size of the network's input, if there is a detector. */
  Size boxInput;
  /**
   * A network gets (value - mean) * scale / std for each channel, with mean and std in the order of
   * `colour`. Unset: as the networks of `decoder` need it (withConvention()).
   */
  std::optional<double> scale;
  std::optional<std::array<double, 3>> mean, std;
  std::optional<ChannelOrder> colour;
  std::optional<Fit> fit;
  /** TorchScript: the one tensor that forward() takes is 1 x 3 x H x W, not 3 x H x W. */
  bool batch = true;
  /**
   * The maximum number of waiting pictures of one size that run as one batch, 1 to kMaxBatch. 1 for
   * backends that cannot batch and for networks that run on a detector's boxes.
   */
  int maxBatch = 1;

  // [output], beyond what `rules` holds
  OutputDecoder decoder = OutputDecoder::Auto;
  /**
   * The IoU of two boxes of one class above which NMS removes the weaker one. Unset: as the
   * networks of `decoder` need it.
   */
  std::optional<double> nms;

  // [tensors]
  /** The names of the tensors on the server of a remote model. */
  TensorNames tensors;
  /**
   * For a remote model: its file names a decoder. Clients then make the network's own tensor from a
   * picture and read its raw outputs, whatever the server reports. Otherwise they do so only if the
   * server reports such a tensor.
   */
  bool sendsTensor = false;
  /** For that tensor, if the server does not report them. Unset: NCHW and FP32. */
  std::optional<TensorLayout> layout;
  std::optional<PictureType> datatype;
  /** The input for the width and height of the picture. Empty: as the server reports it. */
  std::string targetSizes;
  /** The requested outputs. Empty: those that the decoder reads. */
  std::vector<std::string> outputs;

  // [simulated]
  /** The time of a picture: these milliseconds, and these for each million pixels of
   * inputSize(). */
  double fixedMs = 0;
  double msPerMegapixel = 0;

  /** The rules for clients. */
  ModelRules rules;
};

/** The minimum score of a network without a named decoder, as in most exporters' own programs. */
inline constexpr float kUsualMinScore = 0.25F;

/** A remote model that has no file. */
ModelFile remoteModel(const std::string& name);

/** Whether the backend runs a network file, with tensors that an OutputDecoder reads. */
inline bool runsNetwork(ModelBackend backend) {
  return backend == ModelBackend::Onnx || backend == ModelBackend::OnnxRuntime ||
         backend == ModelBackend::OpencvDnn || backend == ModelBackend::OpenVino ||
         backend == ModelBackend::TorchScript;
}

/**
 * `model` with colour, scale, mean, std, fit and nms set. What its file leaves open is as the
 * networks of its decoder were trained and are mostly exported, or for Auto as most networks of
 * all.
 */
ModelFile withConvention(ModelFile model);

/**
 * Throws elf::Error naming the file and its key if the decoder of `model` does not support its
 * task. Decoder Auto may support any.
 */
void requireTask(const ModelFile& model);

/** The same if one of `model.detectorLabels` is not a label of the detector, which may have no
 * labels. */
void requireDetectorLabels(const ModelFile& model, const Labels& labels);

/**
 * Reads the file that `nameOrPath` names (readDataFile()), and its label file. Weight files need
 * not exist. A path that ends in `.so` means a model of backend `library` with only that file.
 * libfoo.so is called foo. `.onnx` means a model of backend `onnx`, and `.torchscript` or `.pt` one
 * of `torchscript`. Their network's file states the rest. Throws elf::Error naming file and key.
 */
ModelFile loadModelFile(const std::string& nameOrPath);

/** The same for a text in memory. `path` is for errors and for finding labels. */
ModelFile parseModelFile(const std::string& text, const std::string& name, const std::string& path);

/**
 * Full names of `model.files`. Searches each beside the `.model` file and then in the folders of
 * models (elf/base/data_files.h), and compares its checksum. Throws elf::Error naming the file.
 */
std::vector<std::string> weightFiles(const ModelFile& model);

/** Full name of the file that weightFiles() would find. Unset if it is missing. */
std::optional<std::string> findWeightFile(const ModelFile& model, const std::string& file);

}  // namespace elf
