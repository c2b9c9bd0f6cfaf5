// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks in OpenCV's DNN module.
#include <algorithm>
#include <opencv2/core/version.hpp>
#include <opencv2/dnn.hpp>

#include "elf/base/printable.h"
#include "elf/runtime/onnx_file.h"
#include "elf/runtime/opencv_session.h"

namespace elf {

namespace {

struct Kind {
  const char* platform;
  /** The endings of its files' names, in order. */
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
              "is not one of: one .onnx file, a .cfg and a .weights file, a .prototxt and a "
              ".caffemodel file, a .pb file, a .pb and a .pbtxt file");
}

NetworkInfo infoOf(const ModelFile& file, const std::string& path) {
  const std::string platform = platformOf(file);
  NetworkInfo info = platform == "onnx" ? readOnnxInfo(path) : NetworkInfo{.platform = platform};
  info.runtime = "OpenCV " CV_VERSION ", CPU, f32";
  return info;
}

class OpencvSession : public Session {
 public:
  OpencvSession(const ModelFile& file, const std::vector<std::string>& files)
      : Session(infoOf(file, files[0])) {
    try {
      net_ = cv::dnn::readNet(files[0], files.size() > 1 ? files[1] : std::string());
      net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
      outputs_ = net_.getUnconnectedOutLayersNames();
      // OpenCV's are in alphabetical order.
      if (info_.platform == "onnx")
        std::ranges::stable_sort(outputs_, {},
                                 [names = readOnnxOutputs(files[0])](const std::string& name) {
                                   return std::ranges::find(names, name) - names.begin();
                                 });
    } catch (const cv::Exception& error) {
      throw Error(files[0], "OpenCV cannot load it: " + printable(error.what()));
    }
    if (info_.inputs.size() > 2 || (info_.inputs.size() == 2 && !info_.inputs[1].integer))
      throw Error(files[0], "takes more than a picture: " + printable(info_.inputs[1].name));
  }

  Result<Tensors> run(const cv::Mat& image) override try {
    if (info_.inputs.size() > 1) {
      cv::Mat sizes(image.size[0], 2, CV_32F);
      sizes.col(0).setTo(image.size[3]);
      sizes.col(1).setTo(image.size[2]);
      net_.setInput(image, info_.inputs[0].name);
      net_.setInput(sizes, info_.inputs[1].name);
    } else {
      net_.setInput(image);
    }
    std::vector<cv::Mat> values;
    net_.forward(values, outputs_);
    Tensors tensors;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i].depth() != CV_32F) values[i].convertTo(values[i], CV_32F);
      tensors.push_back({outputs_[i], values[i]});
    }
    return tensors;
  } catch (const cv::Exception& error) {
    return Result<Tensors>::failure(printable(error.what()));
  }

 private:
  cv::dnn::Net net_;
  std::vector<cv::String> outputs_;
};

}  // namespace

std::unique_ptr<Session> openOpencvSession(const ModelFile& file,
                                           const std::vector<std::string>& files) {
  return std::make_unique<OpencvSession>(file, files);
}

}  // namespace elf
