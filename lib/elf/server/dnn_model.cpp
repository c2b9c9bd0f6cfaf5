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
    tryOnce(*this, network_.path());
  }

  std::string platform() const override { return network_.platform(); }

  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement&) override try {
    const Canvas canvas = Canvas::ofPicture(matOf(bgr), rules());
    const Result<Tensors> tensors = network_.run(canvas.pixels());
    if (!tensors) return Result<std::vector<Detection>>::failure(name() + ": " + tensors.error());
    return toDetections(tensors.value(), decode_, canvas, file());
  } catch (const cv::Exception& error) {
    return Result<std::vector<Detection>>::failure(name() + ": " + printable(error.what()));
  }

 private:
  Network network_;
  Decoder decode_;
};

}  // namespace

std::unique_ptr<InferenceModel> createDnnModel(const ModelFile& file) {
  return std::make_unique<DnnModel>(file);
}

}  // namespace elf
