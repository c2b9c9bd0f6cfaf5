// SPDX-License-Identifier: LGPL-2.1-or-later
// A model that takes as long as its file says, and no core: for planning, measuring and tests.
#include <chrono>
#include <thread>

#include "elf/server/backends.h"

namespace elf {

namespace {

class SimulatedModel : public InferenceModel {
 public:
  using InferenceModel::InferenceModel;

  std::string platform() const override { return "simulated"; }

  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement&) override {
    const double megapixels = static_cast<double>(rules().inputSize(bgr.size).area()) / 1e6;
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(
        file().fixedMs + file().msPerMegapixel * megapixels));
    return std::vector<Detection>();
  }
};

}  // namespace

std::unique_ptr<InferenceModel> createSimulatedModel(const ModelFile& file) {
  return std::make_unique<SimulatedModel>(file);
}

}  // namespace elf
