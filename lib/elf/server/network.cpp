// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/network.h"

#include <algorithm>

#include "elf/base/error.h"
#include "elf/base/printable.h"

namespace elf {

namespace {

struct Kind {
  const char* platform;
  /** How the names of its files end, in their order. */
  std::vector<const char*> endings;
};

std::string platformOf(const ModelFile& file) {
  for (const Kind& kind : {Kind{"onnx", {".onnx"}}, Kind{"darknet", {".cfg", ".weights"}},
                           Kind{"caffe", {".prototxt", ".caffemodel"}}, Kind{"tensorflow", {".pb"}},
                           Kind{"tensorflow", {".pb", ".pbtxt"}}})
    if (std::ranges::equal(file.files, kind.endings, [](const std::string& name, const char* end) {
          return name.ends_with(end);
        }))
      return kind.platform;
  throw Error(file.path + ": [model] file",
              "is none of: one .onnx file, a .cfg and a .weights file, a .prototxt and a "
              ".caffemodel file, a .pb file, a .pb and a .pbtxt file");
}

}  // namespace

Network::Network(const ModelFile& file)
    : platform_(platformOf(file)), mean_(file.mean), rgb_(file.colour == ChannelOrder::Rgb) {
  std::ranges::transform(file.std, scale_.begin(), [&](double std) { return file.scale / std; });
  const std::vector<std::string> paths = weightFiles(file);
  path_ = paths[0];
  try {
    net_ = cv::dnn::readNet(path_, paths.size() > 1 ? paths[1] : std::string());
    net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    outputs_ = net_.getUnconnectedOutLayersNames();
  } catch (const cv::Exception& error) {
    throw Error(path_, "OpenCV cannot load it: " + printable(error.what()));
  }
}

Result<Tensors> Network::run(const cv::Mat& bgr) try {
  cv::Mat blob = cv::dnn::blobFromImage(bgr, 1, cv::Size(),
                                        cv::Scalar(mean_[0], mean_[1], mean_[2]), rgb_, false);
  for (int i = 0; i < blob.size[1]; ++i) {
    cv::Mat channel(blob.size[2], blob.size[3], CV_32F, blob.ptr(0, i));
    channel *= scale_[static_cast<std::size_t>(i)];
  }
  net_.setInput(blob);
  std::vector<cv::Mat> values;
  net_.forward(values, outputs_);
  Tensors tensors;
  for (std::size_t i = 0; i < values.size(); ++i) tensors.push_back({outputs_[i], values[i]});
  return tensors;
} catch (const cv::Exception& error) {
  return Result<Tensors>::failure(
      "cannot be run on " + std::to_string(bgr.cols) + "x" + std::to_string(bgr.rows) +
      " pixels; do [input] size and multiple-of suit it? " + printable(error.what()));
}

}  // namespace elf
