// SPDX-License-Identifier: LGPL-2.1-or-later
// `.model` files: what a model is, how it is run, how parts are cut for it (docs/model-files.md).
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

/** What runs a model. */
enum class ModelBackend {
  Hog,          ///< `hog`: OpenCV's pedestrian detector, needs no file
  Library,      ///< `library`: a shared library of the user's own (elf/server/model_library.h)
  Onnx,         ///< `onnx`: an ONNX file, in the best of the three runtimes that is here
  OnnxRuntime,  ///< `onnxruntime`: an ONNX file, run by ONNX Runtime
  OpencvDnn,    ///< `opencv-dnn`: a network file, run by OpenCV
  OpenVino,     ///< `openvino`: a network file, run by OpenVINO
  Remote,       ///< `remote`: a server other than elf-server
  Simulated,    ///< `simulated`: takes its time and finds nothing
  TorchScript   ///< `torchscript`: a TorchScript file, run by LibTorch
};

/** The value of `[model] backend`. */
std::string_view toString(ModelBackend backend);

/**
 * How a network's output tensors are read; elf/decode/decoder.h tells their shapes. The value of
 * `[output] decoder` stands behind each.
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
  RtDetrLogits,   ///< `rt-detr-logits`: RT-DETR and D-FINE of the package transformers
  RtDetrRows,     ///< `rt-detr-rows`: RT-DETR of Ultralytics
  RfDetr,         ///< `rf-detr`: with or without masks
  FastestDet,     ///< `fastestdet`
  NanoDet,        ///< `nanodet`: NanoDet-Plus
  Ssd,            ///< `ssd`: what a DetectionOutput layer gives
  MaskRcnn,       ///< `mask-rcnn`: the same, and masks
  UltraFace,      ///< `ultraface`
  YuNet,          ///< `yunet`: faces and five landmarks of each
  HeatMaps,       ///< `heat-maps`: joints of one object; needs a detector
  SimCc,          ///< `simcc`: RTMPose's joints of one object; needs a detector
  Classes         ///< `classes`: the class of one object; needs a detector
};

/** The value of `[output] decoder`. */
std::string_view toString(OutputDecoder decoder);

/** Whether the network looks, one by one, at the boxes that a detector finds. */
inline bool isSecondStage(OutputDecoder decoder) {
  return decoder == OutputDecoder::HeatMaps || decoder == OutputDecoder::SimCc ||
         decoder == OutputDecoder::Classes;
}

/** Whether the network tells rotated boxes. */
inline bool tellsRotated(OutputDecoder decoder) {
  return decoder == OutputDecoder::Yolov8Obb || decoder == OutputDecoder::EndToEndObb;
}

enum class ChannelOrder { Bgr, Rgb };

/** Where the channels of a picture stand in a tensor; with N a dimension of one picture leads. */
enum class TensorLayout { Nchw, Nhwc, Chw, Hwc };
/** "NCHW" */
std::string_view toString(TensorLayout layout);

/** Of a picture in a tensor: `FP32`, `FP16`, `UINT8`. */
enum class PictureType { Fp32, Fp16, Uint8 };
/** "FP32" */
std::string_view toString(PictureType type);

/** How a picture comes to a network's size. */
enum class Fit {
  Corner,  ///< `corner`: scaled as a whole, in the upper left corner, grey right and below
  Centre,  ///< `centre`: the same in the middle, grey around
  Stretch  ///< `stretch`: each side by itself
};

/** What OpenVINO calculates with. */
enum class Precision { F32, F16, Bf16 };

inline constexpr int kMaxBatch = 64;

/** A checked `.model` file. Keys that the backend has no use for are refused, not ignored. */
struct ModelFile {
  /** The file's name without folder and ending: what clients call the model. */
  std::string name;
  /** Where it was read from; empty for the one that is built in. */
  std::string path;

  // [model]
  ModelBackend backend = ModelBackend::Hog;
  /** As the file names them; see weightFiles(). */
  std::vector<std::string> files;
  /** Checksums in lower-case hexadecimal, one for each of `files`; or empty: not checked. */
  std::vector<std::string> sha256;
  /**
   * Where to get each of `files` (elf/fetch/model_fetch.h), by TLS or from this machine; or empty:
   * nobody says. With it there is a checksum for each.
   */
  std::vector<std::string> urls;
  /** Of the files, in words; empty: not stated. */
  std::string licence;
  /** Libraries with operators of TorchScript, as dlopen() finds them or beside the file. */
  std::vector<std::string> libraries;
  /** As the file says it: "cpu", "gpu", "npu", "cuda", "tensorrt". */
  std::string device = "cpu";
  Precision precision = Precision::F32;
  /** Nothing says the task: whether objects have masks or joints is as the network gives them. */
  bool openTask = false;
  /**
   * Whose boxes the network looks at, one by one; null: it sees the whole picture. With a detector,
   * what `rules` holds of [input] and [parts] is the detector's, since it is what sees the
   * pictures.
   */
  std::shared_ptr<const ModelFile> detector;
  /** The detector's objects of these labels; empty: all. */
  std::vector<std::string> detectorLabels;

  // [input], beyond what `rules` holds
  /** What the network takes, where there is a detector. */
  Size boxInput;
  /**
   * A network sees (value - mean) * scale / std for each channel, mean and std in the order of
   * `colour`. What is not set is as the networks of `decoder` want it (withConvention()).
   */
  std::optional<double> scale;
  std::optional<std::array<double, 3>> mean, std;
  std::optional<ChannelOrder> colour;
  std::optional<Fit> fit;
  /** TorchScript: where forward() takes one tensor, it is 1 x 3 x H x W, not 3 x H x W. */
  bool batch = true;
  /**
   * At most so many pictures of one size run as one batch, where they wait already, 1 to kMaxBatch.
   * Backends that cannot, and networks that look at a detector's boxes, have 1.
   */
  int maxBatch = 1;

  // [output], beyond what `rules` holds
  OutputDecoder decoder = OutputDecoder::Auto;
  /**
   * Of two boxes of one class with more intersection over union, the weaker one goes. Not set: as
   * the networks of `decoder` want it.
   */
  std::optional<double> nms;

  // [tensors]
  /** What the server of a remote model calls them. */
  TensorNames tensors;
  /**
   * Of a remote model: its file names a decoder, so that clients make the network's own tensor of
   * a picture and read its raw outputs, whatever the server tells of them. Else they do where it
   * tells that it takes such a tensor.
   */
  bool sendsTensor = false;
  /** Of that tensor, where the server does not tell: NCHW and FP32 if they are not set. */
  std::optional<TensorLayout> layout;
  std::optional<PictureType> datatype;
  /** The input that takes the width and height of the picture; empty: what the server tells. */
  std::string targetSizes;
  /** The outputs that are asked for; empty: those that the decoder reads. */
  std::vector<std::string> outputs;

  // [simulated]
  /** What a picture takes: these milliseconds, and these for each million pixels of inputSize(). */
  double fixedMs = 0;
  double msPerMegapixel = 0;

  /** What clients are told. */
  ModelRules rules;
};

/** The least score of a network whose decoder is not named; what most exporters' own programs have.
 */
inline constexpr float kUsualMinScore = 0.25F;

/** A remote model of which no file says anything. */
ModelFile remoteModel(const std::string& name);

/** Whether a network file is run, with tensors that an OutputDecoder reads. */
inline bool runsNetwork(ModelBackend backend) {
  return backend == ModelBackend::Onnx || backend == ModelBackend::OnnxRuntime ||
         backend == ModelBackend::OpencvDnn || backend == ModelBackend::OpenVino ||
         backend == ModelBackend::TorchScript;
}

/**
 * `model` with what its file left open as the networks of its decoder were trained and are mostly
 * exported, or of Auto as most of all are: colour, scale, mean, std, fit and nms are set.
 */
ModelFile withConvention(ModelFile model);

/**
 * Throws elf::Error, naming the file and its key, where the task of `model` is one that its decoder
 * has nothing for. Decoder Auto may have anything.
 */
void requireTask(const ModelFile& model);

/** The same where one of `model.detectorLabels` is none of the detector's; these may have no names.
 */
void requireDetectorLabels(const ModelFile& model, const Labels& labels);

/**
 * Reads the file that `nameOrPath` names (readDataFile()), and its label file. Weight files need
 * not exist. A path that ends in `.so` stands for a model of backend `library` with that file and
 * nothing else; libfoo.so is called foo. One that ends in `.onnx` stands for a model of backend
 * `onnx`, one in `.torchscript` or `.pt` for one of `torchscript`, whose file says the rest. Throws
 * elf::Error naming file and key.
 */
ModelFile loadModelFile(const std::string& nameOrPath);

/** The same for a text in memory; `path` is what errors name and where labels are looked for. */
ModelFile parseModelFile(const std::string& text, const std::string& name, const std::string& path);

/**
 * Full names of `model.files`, each looked for beside the `.model` file and then in the folders of
 * models (elf/base/data_files.h), and its checksum compared. Throws elf::Error naming the file.
 */
std::vector<std::string> weightFiles(const ModelFile& model);

/** Full name of the one that weightFiles() would find under that name; nothing where it is missing.
 */
std::optional<std::string> findWeightFile(const ModelFile& model, const std::string& file);

}  // namespace elf
