// SPDX-License-Identifier: LGPL-2.1-or-later
// A network file that OpenCV's DNN module runs. Not installed.
#pragma once

#include <array>
#include <opencv2/dnn.hpp>
#include <span>
#include <string>
#include <vector>

#include "elf/base/error.h"
#include "elf/decode/decoder.h"
#include "elf/model/model_file.h"

namespace elf {

/** Serves one thread at a time. */
class Network {
 public:
  /**
   * One .onnx file; a Darknet .cfg and .weights; a Caffe .prototxt and .caffemodel; a frozen
   * TensorFlow graph .pb, with or without a .pbtxt. Throws elf::Error naming the file that is
   * missing or cannot be loaded.
   */
  explicit Network(const ModelFile& file);

  /** What kind of file it is, as "onnx". */
  const std::string& platform() const { return platform_; }
  /** The weight file that errors name. */
  const std::string& path() const { return path_; }

  /**
   * What it says about a BGR picture of a size that it takes. The tensors are valid until the next
   * call. Fails with a sentence that tells the size where OpenCV cannot run it.
   */
  Result<Tensors> run(const cv::Mat& bgr);

  /**
   * run() of each of several pictures of one size, at once, in their order. Only after
   * tryBatch().
   */
  Result<std::vector<Tensors>> runBatch(std::span<const cv::Mat> bgr);
  /** Throws elf::Error where the network says of two pictures of that size, run at once, anything
   * else than of each. */
  void tryBatch(Size size);

 private:
  /** Values of `outputs_` for all pictures together. Throws what OpenCV does. */
  std::vector<cv::Mat> forward(std::span<const cv::Mat> bgr);
  std::string path_, platform_;
  /** What is taken from each channel, in the network's order, and what it is then multiplied by. */
  std::array<double, 3> mean_, scale_;
  bool rgb_;
  cv::dnn::Net net_;
  std::vector<cv::String> outputs_;
  /** How many dimensions each of them has for one picture. */
  std::vector<int> dimensions_;
};

}  // namespace elf
