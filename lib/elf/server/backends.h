// SPDX-License-Identifier: LGPL-2.1-or-later
// The backends that InferenceModel::create() chooses from. Not installed.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <opencv2/core.hpp>
#include <string>

#include "elf/decode/canvas.h"
#include "elf/decode/network_info.h"
#include "elf/server/inference_model.h"

namespace elf {

/** OpenCV's pedestrian detector. Throws elf::Error where this build has none. */
std::unique_ptr<InferenceModel> createHogModel(const ModelFile& file);
/** A network file that a runtime reads (elf/runtime/session.h). */
std::unique_ptr<InferenceModel> createNetworkModel(const ModelFile& file);
/** The same, where the network looks at what a detector finds. */
std::unique_ptr<InferenceModel> createStagedModel(const ModelFile& file);
/** A shared library of the user's. */
std::unique_ptr<InferenceModel> createLibraryModel(const ModelFile& file);
/** A TorchScript file. */
std::unique_ptr<InferenceModel> createTorchModel(const ModelFile& file);
/** Takes its time and finds nothing. */
std::unique_ptr<InferenceModel> createSimulatedModel(const ModelFile& file);

/** The size of a picture to try a model with. */
Size trialSize(const ModelRules& rules);
/** Two that no network sees alike: grey, and noise. */
std::array<cv::Mat, 2> trialPictures(Size size);

/**
 * A network of another layout than its file says must fail now, not at the first request: throws
 * elf::Error that names `weights` where `model` runs neither of the trial pictures. Some networks
 * do not run where there is nothing to be seen.
 */
void tryOnce(InferenceModel& model, const std::string& weights);

/** withInfo(); throws elf::Error that names `weights`, the network's file, where no model can be
 * what that notes. */
ModelFile withNotes(const ModelFile& file, const NetworkInfo& info, const std::string& weights);

/**
 * `file` as `look` recognises its network: on a canvas of noise or, where the network does not run
 * on that, of grey. Throws elf::Error that names `weights` where it runs on neither, and what
 * `look` throws.
 */
ModelFile recognisedBy(const std::function<Result<ModelFile>(const Canvas&)>& look,
                       const ModelFile& file, const std::string& weights);

/** The same pixels as OpenCV sees them; OpenCV has no read-only Mat, so take care. */
inline cv::Mat matOf(const ImageView& bgr) {
  return cv::Mat(bgr.size.height, bgr.size.width, CV_8UC3, const_cast<std::uint8_t*>(bgr.planes[0]),
                 static_cast<std::size_t>(bgr.strides[0]));
}

/** The pixels of an 8-bit BGR Mat, which stay its own. */
inline ImageView viewOf(const cv::Mat& bgr) {
  return {.format = PixelFormat::BGR,
          .size = {bgr.cols, bgr.rows},
          .planes = {bgr.data},
          .strides = {static_cast<int>(bgr.step)}};
}

}  // namespace elf
