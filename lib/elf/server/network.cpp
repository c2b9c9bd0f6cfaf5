// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/network.h"

#include "elf/base/error.h"
#include "elf/base/printable.h"

namespace elf {

Network::Network(const ModelFile& file)
    : scale_(file.scale), mean_(file.mean), rgb_(file.colour == ChannelOrder::Rgb) {
  const std::vector<std::string> paths = weightFiles(file);
  path_ = paths[0];
  try {
    if (path_.ends_with(".onnx") && paths.size() == 1) {
      platform_ = "onnx";
      net_ = cv::dnn::readNetFromONNX(path_);
    } else if (path_.ends_with(".cfg") && paths.size() == 2) {
      platform_ = "darknet";
      net_ = cv::dnn::readNetFromDarknet(path_, paths[1]);
    } else {
      throw Error(file.path + ": [model] file",
                  "is neither one .onnx file nor a .cfg and a .weights file");
    }
    net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    outputs_ = net_.getUnconnectedOutLayersNames();
  } catch (const cv::Exception& error) {
    throw Error(path_, "OpenCV cannot load it: " + printable(error.what()));
  }
}

Tensors Network::run(const cv::Mat& bgr) {
  net_.setInput(cv::dnn::blobFromImage(bgr, scale_, cv::Size(),
                                       cv::Scalar(mean_[0], mean_[1], mean_[2]), rgb_, false));
  std::vector<cv::Mat> values;
  net_.forward(values, outputs_);
  Tensors tensors;
  for (std::size_t i = 0; i < values.size(); ++i) tensors.push_back({outputs_[i], values[i]});
  return tensors;
}

}  // namespace elf
