// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks that OpenCV's DNN module runs, and that see the whole picture at once.
#include <opencv2/core.hpp>

#include "elf/base/printable.h"
#include "elf/server/backends.h"
#include "elf/server/canvas.h"
#include "elf/server/decoders/decoder.h"
#include "elf/server/network.h"

namespace elf {

namespace {

class DnnModel : public InferenceModel {
 public:
  explicit DnnModel(const ModelFile& file)
      : InferenceModel(file), network_(file), decode_(decoderFor(file.decoder)) {
    // A network of another layout than the file says must fail now, not at the first request.
    const Size size = rules().fixedSize.empty() ? Size{320, 320} : rules().fixedSize;
    const auto tried = detect(cv::Mat(size.height, size.width, CV_8UC3, cv::Scalar::all(0)));
    if (!tried) throw Error(network_.path(), tried.error());
  }

  std::string platform() const override { return network_.platform(); }

  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement&) override {
    return detect(matOf(bgr));
  }

 private:
  Result<std::vector<Detection>> detect(const cv::Mat& picture) try {
    const Canvas canvas = Canvas::ofPicture(picture, rules());
    const Tensors tensors = network_.run(canvas.pixels());
    std::optional<Candidates> found =
        decode_(tensors, {.canvas = canvas.size(), .minScore = rules().minScore});
    if (!found) return Result<std::vector<Detection>>::failure(name() + ": " + unexpected(tensors));
    return toDetections(std::move(*found), file().nms, canvas, rules());
  } catch (const cv::Exception& error) {
    return Result<std::vector<Detection>>::failure(name() + ": " + printable(error.what()));
  }

  Network network_;
  Decoder decode_;
};

}  // namespace

std::unique_ptr<InferenceModel> createDnnModel(const ModelFile& file) {
  return std::make_unique<DnnModel>(file);
}

}  // namespace elf
