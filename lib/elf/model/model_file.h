// SPDX-License-Identifier: LGPL-2.1-or-later
// `.model` files: what a model is, how it is run, how parts are cut for it (docs/model-files.md).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "elf/model/model_rules.h"
#include "elf/model/tensor_names.h"

namespace elf {

/** What runs a model. */
enum class ModelBackend {
  Hog,         ///< `hog`: OpenCV's pedestrian detector, needs no file
  Library,     ///< `library`: a shared library of the user's own (elf/server/model_library.h)
  OpencvDnn,   ///< `opencv-dnn`: a network file, run by OpenCV
  Remote,      ///< `remote`: a server other than elf-server
  Simulated,   ///< `simulated`: takes its time and finds nothing
  TorchScript  ///< `torchscript`: a TorchScript file, run by LibTorch
};

/** The value of `[model] backend`. */
std::string_view toString(ModelBackend backend);

/** How a network's output tensors are read; elf/server/decoders tells their shapes. */
enum class OutputDecoder {
  Objects,        ///< `objects`: TorchScript's own tuples, lists and dicts
  Yolox,          ///< `yolox`
  DarknetRegion,  ///< `darknet-region`: YOLOv2 to v4 and Yolo-Fastest, as Darknet has them
  Yolov5,         ///< `yolov5`
  Yolov8,         ///< `yolov8`
  Yolov8Seg,      ///< `yolov8-seg`: cut before the last layers; gives masks
  FastestDet,     ///< `fastestdet`
  NanoDet,        ///< `nanodet`: NanoDet-Plus
  Ssd,            ///< `ssd`: what a DetectionOutput layer gives
  MaskRcnn,       ///< `mask-rcnn`: the same, and masks
  UltraFace,      ///< `ultraface`
  YuNet,          ///< `yunet`: faces and five landmarks of each
  HeatMaps,       ///< `heat-maps`: joints of one object; needs a detector
  Classes         ///< `classes`: the class of one object; needs a detector
};

enum class ChannelOrder { Bgr, Rgb };

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
  /** Libraries with operators of TorchScript, as dlopen() finds them or beside the file. */
  std::vector<std::string> libraries;
  /** TorchScript: runs on CUDA, not on the CPU. */
  bool cuda = false;
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
  /** A network sees (value - mean) * scale / std for each channel. */
  double scale = 1;
  /** Both in the order of `colour`. */
  std::array<double, 3> mean{}, std{1, 1, 1};
  ChannelOrder colour = ChannelOrder::Bgr;
  /** TorchScript: where forward() takes one tensor, it is 1 x 3 x H x W, not 3 x H x W. */
  bool batch = true;
  /**
   * At most so many pictures of one size run as one batch, where they wait already, 1 to kMaxBatch.
   * Backends that cannot, and networks that look at a detector's boxes, have 1.
   */
  int maxBatch = 1;

  // [output], beyond what `rules` holds
  OutputDecoder decoder = OutputDecoder::Yolox;
  /** Of two boxes of one class with more intersection over union, the weaker one goes. */
  double nms = 0.45;

  // [tensors]
  /** What the server of a remote model calls them. */
  TensorNames tensors;

  // [simulated]
  /** What a picture takes: these milliseconds, and these for each million pixels of inputSize(). */
  double fixedMs = 0;
  double msPerMegapixel = 0;

  /** What clients are told. */
  ModelRules rules;
};

/**
 * Reads the file that `nameOrPath` names (readDataFile()), and its label file. Weight files need
 * not exist. A path that ends in `.so` stands for a model of backend `library` with that file and
 * nothing else; libfoo.so is called foo. Throws elf::Error naming file and key.
 */
ModelFile loadModelFile(const std::string& nameOrPath);

/** The same for a text in memory; `path` is what errors name and where labels are looked for. */
ModelFile parseModelFile(const std::string& text, const std::string& name, const std::string& path);

/**
 * Full names of `model.files`, each looked for beside the `.model` file and then in the folders of
 * models (elf/base/data_files.h), and its checksum compared. Throws elf::Error naming the file.
 */
std::vector<std::string> weightFiles(const ModelFile& model);

}  // namespace elf
