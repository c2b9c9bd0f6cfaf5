// SPDX-License-Identifier: LGPL-2.1-or-later
// A model whose answer is known beforehand: it finds bright blobs on a dark ground.
#pragma once

#include <memory>

#include "elf/server/inference_model.h"
#include "elf/server/server.h"
#include "tests/support/gate.h"

namespace elf::testing {

/**
 * Each connected region brighter than half is one detection of label "blob", its box tight to the
 * pixel. Regions of fewer than 16 pixels are noise of the JPEG.
 */
class BlobModel final : public InferenceModel {
 public:
  /** Every picture passes `gate` first; null: there is none. It outlives the model. */
  explicit BlobModel(Gate* gate = nullptr);
  std::string platform() const override { return "blob"; }
  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement&) override;

 private:
  Gate* gate_;
};

/** A server in this process that runs a BlobModel called "blob". */
inline std::unique_ptr<Server> startBlobServer(Gate* gate = nullptr) {
  return std::make_unique<Server>(
      std::vector<ModelFactory>{[gate] { return std::make_unique<BlobModel>(gate); }},
      ServerOptions{});
}

}  // namespace elf::testing
