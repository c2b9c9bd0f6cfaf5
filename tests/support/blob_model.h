// SPDX-License-Identifier: LGPL-2.1-or-later
// A model whose answer is known beforehand: it finds bright blobs on a dark ground.
#pragma once

#include <memory>

#include "elf/server/inference_model.h"
#include "elf/server/server.h"

namespace elf::testing {

/**
 * Each connected region brighter than half is one detection of label "blob", its box tight to the
 * pixel. Regions of fewer than 16 pixels are noise of the JPEG.
 */
class BlobModel final : public InferenceModel {
 public:
  BlobModel();
  std::string platform() const override { return "blob"; }
  Result<std::vector<Detection>> run(const ImageView& bgr) override;
};

/** A server in this process that runs a BlobModel called "blob". */
inline std::unique_ptr<Server> startBlobServer() {
  return std::make_unique<Server>([] { return std::make_unique<BlobModel>(); }, ServerOptions{});
}

}  // namespace elf::testing
