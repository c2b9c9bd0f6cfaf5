// SPDX-License-Identifier: LGPL-2.1-or-later
// The backends of InferenceModel::create(). Not installed.
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

/** OpenCV's pedestrian detector. Throws elf::Error if this build has none. */
std::unique_ptr<InferenceModel> createHogModel(const ModelFile& file);
/** A network file that a runtime reads (elf/runtime/session.h). */
std::unique_ptr<InferenceModel> createNetworkModel(const ModelFile& file);
/** The same, for a network that runs on a detector's detections. */
std::unique_ptr<InferenceModel> createStagedModel(const ModelFile& file);
/** A user's shared library. */
std::unique_ptr<InferenceModel> createLibraryModel(const ModelFile& file);
/** A TorchScript file. */
std::unique_ptr<InferenceModel> createTorchModel(const ModelFile& file);
/** Simulates the time of an inference and finds nothing. */
std::unique_ptr<InferenceModel> createSimulatedModel(const ModelFile& file);

/** The size of the trial pictures for a model. */
Size trialSize(const ModelRules& rules);
/** Two pictures that look different to every network: grey, and noise. */
std::array<cv::Mat, 2> trialPictures(Size size);

/**
 * Makes a network of another layout than its file states fail now, not at the first request. Throws
 * elf::Error naming `weights` if `model` runs neither of the trial pictures. Some networks do not
 * run on a picture without content.
 */
void tryOnce(InferenceModel& model, const std::string& weights);

/** withInfo(). Throws elf::Error naming `weights`, the network's file, if its notes describe no
 * possible model. */
ModelFile withNotes(const ModelFile& file, const NetworkInfo& info, const std::string& weights);

/**
 * Returns `file` as `look` completes it from its network, which runs on a canvas of noise or, if
 * that fails, of grey. Throws elf::Error naming `weights` if it runs on neither. Also throws the
 * errors of `look`.
 */
ModelFile recognisedBy(const std::function<Result<ModelFile>(const Canvas&)>& look,
                       const ModelFile& file, const std::string& weights);

/** A Mat of the same pixels. Do not write to it: OpenCV has no read-only Mat. */
inline cv::Mat matOf(const ImageView& bgr) {
  return cv::Mat(bgr.size.height, bgr.size.width, CV_8UC3, const_cast<std::uint8_t*>(bgr.planes[0]),
                 static_cast<std::size_t>(bgr.strides[0]));
}

/** A view of an 8-bit BGR Mat, which keeps its pixels. */
inline ImageView viewOf(const cv::Mat& bgr) {
  return {.format = PixelFormat::BGR,
          .size = {bgr.cols, bgr.rows},
          .planes = {bgr.data},
          .strides = {static_cast<int>(bgr.step)}};
}

}  // namespace elf
