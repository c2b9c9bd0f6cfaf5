// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks that OpenCV's DNN module runs, and that see the whole picture at once.
#include <opencv2/core.hpp>
#include <span>
#include <vector>

#include "elf/base/printable.h"
#include "elf/decode/canvas.h"
#include "elf/decode/decoder.h"
#include "elf/server/backends.h"
#include "elf/server/network.h"

namespace elf {

namespace {

class DnnModel : public InferenceModel {
 public:
  explicit DnnModel(const ModelFile& file)
      : InferenceModel(file), network_(file), decode_(decoderFor(file.decoder)) {
    tryOnce(*this, network_.path());
    if (file.maxBatch > 1) network_.tryBatch(rules().inputSize(trialSize(rules())));
  }

  std::string platform() const override { return network_.platform(); }

  Answer run(const ImageView& bgr, const Placement&) override try {
    const Canvas canvas = Canvas::ofPicture(matOf(bgr), rules());
    const Result<Tensors> tensors = network_.run(canvas.pixels());
    if (!tensors) return failure(tensors.error());
    return toDetections(tensors.value(), decode_, canvas, file());
  } catch (const cv::Exception& error) {
    return failure(printable(error.what()));
  }

  std::vector<Answer> runBatch(std::span<const PlacedPicture> pictures) override try {
    std::vector<Canvas> canvases;
    std::vector<cv::Mat> pixels;
    for (const PlacedPicture& picture : pictures) {
      canvases.push_back(Canvas::ofPicture(matOf(picture.bgr), rules()));
      pixels.push_back(canvases.back().pixels());
    }
    const auto all = network_.runBatch(pixels);
    if (!all) return std::vector(pictures.size(), failure(all.error()));
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < pictures.size(); ++i)
      answers.push_back(toDetections(all.value()[i], decode_, canvases[i], file()));
    return answers;
  } catch (const cv::Exception& error) {
    return std::vector(pictures.size(), failure(printable(error.what())));
  }

 private:
  Answer failure(const std::string& why) const { return Answer::failure(name() + ": " + why); }

  Network network_;
  Decoder decode_;
};

}  // namespace

std::unique_ptr<InferenceModel> createDnnModel(const ModelFile& file) {
  return std::make_unique<DnnModel>(file);
}

}  // namespace elf
