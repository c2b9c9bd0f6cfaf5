// SPDX-License-Identifier: LGPL-2.1-or-later
// A model that takes as long as its file states, without using a core: for planning, measuring and
// tests.
#include <chrono>
#include <thread>

#include "elf/server/backends.h"

namespace elf {

namespace {

class SimulatedModel : public InferenceModel {
 public:
  using InferenceModel::InferenceModel;

  std::string platform() const override { return "simulated"; }

  Answer run(const ImageView& bgr, const Placement&) override {
    takeTimeFor(bgr.size, 1);
    return std::vector<Detection>();
  }

  /** Takes `fixed-ms` once. */
  std::vector<Answer> runBatch(std::span<const PlacedPicture> pictures) override {
    takeTimeFor(pictures[0].bgr.size, pictures.size());
    return std::vector(pictures.size(), Answer(std::vector<Detection>()));
  }

 private:
  void takeTimeFor(Size picture, std::size_t count) const {
    const double megapixels =
        static_cast<double>(count) * static_cast<double>(rules().inputSize(picture).area()) / 1e6;
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(
        file().fixedMs + file().msPerMegapixel * megapixels));
  }
};

}  // namespace

std::unique_ptr<InferenceModel> createSimulatedModel(const ModelFile& file) {
  return std::make_unique<SimulatedModel>(file);
}

}  // namespace elf
