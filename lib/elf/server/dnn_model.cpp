// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks that OpenCV's DNN module reads, and the layouts of their outputs.
#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>

#include "elf/base/printable.h"
#include "elf/server/backends.h"
#include "elf/wire/infer.h"

namespace elf {

namespace {

// Grey that the networks were trained to take for nothing.
constexpr int kPadding = 114;
constexpr std::size_t kMaxCandidates = 10000;

/** What the network saw: the picture scaled by `scale`, in the upper left corner of `size`. */
struct Canvas {
  cv::Mat pixels;
  double scale = 1;
};

/** What one row of a tensor says, its box in pixels of the canvas. */
struct Candidate {
  Box box;
  float score = 0;
  std::int64_t labelId = 0;
};

class DnnModel : public InferenceModel {
 public:
  explicit DnnModel(const ModelFile& file) : InferenceModel(file) {
    const std::vector<std::string> paths = weightFiles(file);
    try {
      load(paths);
      net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
      outputs_ = net_.getUnconnectedOutLayersNames();
    } catch (const cv::Exception& error) {
      throw Error(paths[0], "OpenCV cannot load it: " + printable(error.what()));
    }
    tryOnce(paths[0]);
  }

  std::string platform() const override { return platform_; }

  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement&) override try {
    const Canvas canvas = toCanvas(matOf(bgr));
    const ModelFile& model = file();
    const bool rgb = model.colour == ChannelOrder::Rgb;
    net_.setInput(cv::dnn::blobFromImage(canvas.pixels, model.scale, cv::Size(),
                                         cv::Scalar(model.mean[0], model.mean[1], model.mean[2]),
                                         rgb, false));
    std::vector<cv::Mat> tensors;
    net_.forward(tensors, outputs_);
    candidates_.clear();
    const bool understood = model.decoder == OutputDecoder::Yolox
                                ? readYolox(tensors, canvas.pixels.size())
                                : readRegions(tensors, canvas.pixels.size());
    if (!understood)
      return Result<std::vector<Detection>>::failure(
          name() + ": the network's output is not what [output] decoder expects");
    return suppress(canvas.scale, bgr.size);
  } catch (const cv::Exception& error) {
    return Result<std::vector<Detection>>::failure(name() + ": " + printable(error.what()));
  }

 private:
  void load(const std::vector<std::string>& paths) {
    const std::string& first = paths[0];
    if (first.ends_with(".onnx") && paths.size() == 1) {
      platform_ = "onnx";
      net_ = cv::dnn::readNetFromONNX(first);
    } else if (first.ends_with(".cfg") && paths.size() == 2) {
      platform_ = "darknet";
      net_ = cv::dnn::readNetFromDarknet(first, paths[1]);
    } else {
      throw Error(file().path + ": [model] file",
                  "is neither one .onnx file nor a .cfg and a .weights file");
    }
  }

  /** A network of another layout than the file says must fail now, not at the first request. */
  void tryOnce(const std::string& path) {
    const Size size = rules().fixedSize.empty() ? Size{320, 320} : rules().fixedSize;
    const cv::Mat grey(size.height, size.width, CV_8UC3, cv::Scalar::all(kPadding));
    ImageView view;
    view.format = PixelFormat::BGR;
    view.size = size;
    view.planes[0] = grey.data;
    view.strides[0] = static_cast<int>(grey.step);
    const auto result = run(view, {.frame = view.size});
    if (!result) throw Error(path, result.error());
  }

  Canvas toCanvas(const cv::Mat& picture) const {
    const Size size{picture.cols, picture.rows};
    Canvas canvas;
    canvas.scale = rules().inputScale(size);
    cv::Mat scaled = picture;
    if (canvas.scale != 1.0) {
      const Size to = size.scaled(canvas.scale);
      cv::resize(picture, scaled, {to.width, to.height}, 0, 0,
                 canvas.scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
    }
    const Size input = rules().inputSize(size);
    cv::copyMakeBorder(scaled, canvas.pixels, 0, input.height - scaled.rows, 0,
                       input.width - scaled.cols, cv::BORDER_CONSTANT, cv::Scalar::all(kPadding));
    return canvas;
  }

  void add(float centreX, float centreY, float width, float height, float weight,
           const float* classes, int count) {
    const int best = static_cast<int>(std::max_element(classes, classes + count) - classes);
    const float score = weight * classes[best];
    const Box box{centreX - width / 2, centreY - height / 2, centreX + width / 2,
                  centreY + height / 2};
    if (score >= rules().minScore && box.finite() && candidates_.size() < kMaxCandidates)
      candidates_.push_back({box, score, best});
  }

  /** Rows x, y, w, h, objectness, classes, cell after cell of the strides 8, 16 and 32. */
  bool readYolox(const std::vector<cv::Mat>& tensors, cv::Size canvas) {
    constexpr std::array<int, 3> kStrides{8, 16, 32};
    if (tensors.size() != 1 || tensors[0].type() != CV_32F || tensors[0].dims != 3) return false;
    const int columns = tensors[0].size[2];
    int cells = 0;
    for (const int stride : kStrides) cells += (canvas.width / stride) * (canvas.height / stride);
    if (tensors[0].size[1] != cells || columns < 6) return false;
    const float* row = tensors[0].ptr<float>();
    for (const int stride : kStrides) {
      const auto s = static_cast<float>(stride);
      for (int y = 0; y < canvas.height / stride; ++y)
        for (int x = 0; x < canvas.width / stride; ++x, row += columns)
          if (row[4] >= rules().minScore)
            add((row[0] + static_cast<float>(x)) * s, (row[1] + static_cast<float>(y)) * s,
                std::exp(row[2]) * s, std::exp(row[3]) * s, row[4], row + 5, columns - 5);
    }
    return true;
  }

  /** Rows x, y, w, h in parts of the canvas, objectness, classes that hold it already. */
  bool readRegions(const std::vector<cv::Mat>& tensors, cv::Size canvas) {
    const auto width = static_cast<float>(canvas.width);
    const auto height = static_cast<float>(canvas.height);
    for (const cv::Mat& tensor : tensors) {
      if (tensor.type() != CV_32F || tensor.dims != 2 || tensor.cols < 6) return false;
      for (int i = 0; i < tensor.rows; ++i) {
        const float* row = tensor.ptr<float>(i);
        if (row[4] >= rules().minScore)
          add(row[0] * width, row[1] * height, row[2] * width, row[3] * height, 1, row + 5,
              tensor.cols - 5);
      }
    }
    return !tensors.empty();
  }

  /** The strongest candidates of each class, in pixels of the picture. */
  std::vector<Detection> suppress(double scale, Size picture) {
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
    std::vector<Candidate> kept;
    for (const Candidate& candidate : candidates_)
      if (std::none_of(kept.begin(), kept.end(),
                       [&](const Candidate& other) {
                         return other.labelId == candidate.labelId &&
                                iou(other.box, candidate.box) > file().nms;
                       }) &&
          kept.size() < wire::kMaxDetections)
        kept.push_back(candidate);
    std::vector<Detection> detections;
    const auto back = static_cast<float>(1 / scale);
    for (const Candidate& candidate : kept) {
      Detection detection;
      detection.box = clip(scaled(candidate.box, back, back), picture);
      detection.score = candidate.score;
      detection.labelId = candidate.labelId;
      detection.label = rules().label(candidate.labelId);
      if (!detection.box.empty()) detections.push_back(std::move(detection));
    }
    return detections;
  }

  cv::dnn::Net net_;
  std::string platform_;
  std::vector<cv::String> outputs_;
  std::vector<Candidate> candidates_;
};

}  // namespace

std::unique_ptr<InferenceModel> createDnnModel(const ModelFile& file) {
  return std::make_unique<DnnModel>(file);
}

}  // namespace elf
