// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "elf/base/error.h"
#include "elf/base/printable.h"
#include "elf/server/backends.h"

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

/** Errors of arithmetic, absolute and relative. */
constexpr float kSameValue = 1e-3F;

std::string cannotRun(const cv::Mat& bgr, const cv::Exception& error) {
  return "cannot be run on " + std::to_string(bgr.cols) + "x" + std::to_string(bgr.rows) +
         " pixels; do [input] size and multiple-of suit it? " + printable(error.what());
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

std::vector<cv::Mat> Network::forward(std::span<const cv::Mat> bgr) {
  cv::Mat blob =
      cv::dnn::blobFromImages(std::vector<cv::Mat>(bgr.begin(), bgr.end()), 1, cv::Size(),
                              cv::Scalar(mean_[0], mean_[1], mean_[2]), rgb_, false);
  for (int n = 0; n < blob.size[0]; ++n)
    for (int i = 0; i < blob.size[1]; ++i) {
      cv::Mat channel(blob.size[2], blob.size[3], CV_32F, blob.ptr(n, i));
      channel *= scale_[static_cast<std::size_t>(i)];
    }
  net_.setInput(blob);
  std::vector<cv::Mat> values;
  net_.forward(values, outputs_);
  return values;
}

Result<Tensors> Network::run(const cv::Mat& bgr) try {
  const std::vector<cv::Mat> values = forward({&bgr, 1});
  Tensors tensors;
  for (std::size_t i = 0; i < values.size(); ++i) tensors.push_back({outputs_[i], values[i]});
  return tensors;
} catch (const cv::Exception& error) {
  return Result<Tensors>::failure(cannotRun(bgr, error));
}

Result<std::vector<Tensors>> Network::runBatch(std::span<const cv::Mat> bgr) try {
  const auto count = static_cast<int>(bgr.size());
  const std::vector<cv::Mat> values = forward(bgr);
  std::vector<Tensors> all(bgr.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::vector<int> shape(values[i].size.p, values[i].size.p + values[i].dims);
    // Darknet's layers have a dimension of pictures only where there are several.
    if (std::cmp_greater(shape.size(), dimensions_[i]) && shape[0] == count)
      shape.erase(shape.begin());
    else if (const auto first = std::ranges::find_if(shape, [](int size) { return size > 1; });
             first != shape.end() && *first % count == 0)
      *first /= count;
    else
      return Result<std::vector<Tensors>>::failure(outputs_[i] + " is not of " +
                                                   std::to_string(count) + " pictures");
    const cv::Mat rows = values[i].reshape(1, count);
    for (int n = 0; n < count; ++n)
      all[static_cast<std::size_t>(n)].push_back({outputs_[i], rows.row(n).reshape(1, shape)});
  }
  return all;
} catch (const cv::Exception& error) {
  return Result<std::vector<Tensors>>::failure(cannotRun(bgr[0], error));
}

void Network::tryBatch(Size size) {
  const std::array<cv::Mat, 2> pictures = trialPictures(size);
  std::array<Tensors, 2> each;
  for (std::size_t n = 0; n < pictures.size(); ++n) {
    const auto one = run(pictures[n]);
    if (!one) throw Error(path_, one.error());
    for (const NamedTensor& tensor : one.value())
      each[n].push_back({tensor.name, tensor.values.clone()});
  }
  dimensions_.clear();
  for (const NamedTensor& tensor : each[0]) dimensions_.push_back(tensor.values.dims);
  const auto both = runBatch(pictures);
  const auto isSame = [](const NamedTensor& a, const NamedTensor& b) {
    return a.values.size == b.values.size &&
           std::equal(
               a.values.begin<float>(), a.values.end<float>(), b.values.begin<float>(),
               [](float x, float y) { return std::abs(x - y) <= kSameValue * (1 + std::abs(y)); });
  };
  const bool same = both && std::ranges::equal(both.value()[0], each[0], isSame) &&
                    std::ranges::equal(both.value()[1], each[1], isSame);
  if (!same)
    throw Error(path_,
                "says of two pictures at once something else than of each, so that [input] "
                "max-batch must be 1");
}

}  // namespace elf
