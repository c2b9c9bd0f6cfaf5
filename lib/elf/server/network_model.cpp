// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks that a runtime runs on the whole picture at once.
#include <array>
#include <opencv2/core.hpp>
#include <span>
#include <utility>
#include <vector>

#include "elf/base/printable.h"
#include "elf/decode/canvas.h"
#include "elf/decode/decoder.h"
#include "elf/decode/recognise.h"
#include "elf/server/backends.h"
#include "elf/server/network.h"

namespace elf {

namespace {

class NetworkModel : public InferenceModel {
 public:
  /** `file` must be complete. */
  NetworkModel(const ModelFile& file, Network network)
      : InferenceModel(file), network_(std::move(network)), decode_(decoderFor(file.decoder)) {
    tryOnce(*this, network_.path());
    if (file.maxBatch > 1) network_.tryBatch(rules().inputSize(trialSize(rules())));
  }

  std::string platform() const override { return network_.info().platform; }
  std::string runtime() const override { return network_.info().runtime; }

  Answer run(const ImageView& bgr, const Placement&) override try {
    const Canvas canvas = canvasOf(bgr);
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
      canvases.push_back(canvasOf(picture.bgr));
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
  Canvas canvasOf(const ImageView& bgr) const {
    return Canvas::ofPicture(matOf(bgr), rules(), *file().fit);
  }

  Answer failure(const std::string& why) const { return Answer::failure(name() + ": " + why); }

  Network network_;
  Decoder decode_;
};

/** Whether the network takes values of 0 to 255. */
bool seesPixels(const ModelFile& file) {
  return *file.scale == 1 && *file.mean == std::array<double, 3>{0, 0, 0} &&
         *file.std == std::array<double, 3>{1, 1, 1};
}

}  // namespace

std::unique_ptr<InferenceModel> createNetworkModel(const ModelFile& file) {
  const std::vector<std::string> files = weightFiles(file);
  auto session = openSession(file, files);
  ModelFile known = withNotes(file, session->info(), files[0]);
  Network network(known, files[0], std::move(session));
  if (known.decoder == OutputDecoder::Auto) {
    const auto look = [&](const Canvas& canvas) {
      const Result<Tensors> outputs = network.run(canvas.pixels());
      if (!outputs) return Result<ModelFile>::failure(outputs.error());
      return Result<ModelFile>(
          recognise(files[0], known, network.info(), outputs.value(), canvas.size()));
    };
    known = recognisedBy(look, known, files[0]);
  }
  known = withConvention(std::move(known));
  if (!network.info().inputs.empty() && network.info().inputs[0].bytes && !seesPixels(known))
    throw Error(file.path + ": [input] scale",
                "is not 1, and the network takes bytes (say scale=1 without mean and std)");
  network.prepareAs(known);
  return std::make_unique<NetworkModel>(known, std::move(network));
}

}  // namespace elf
