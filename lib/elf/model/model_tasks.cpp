// SPDX-License-Identifier: LGPL-2.1-or-later
// The tasks that each decoder supports.
#include <algorithm>
#include <string>

#include "elf/base/error.h"
#include "elf/model/model_file.h"

namespace elf {

namespace {

bool givesMasks(OutputDecoder decoder) {
  return decoder == OutputDecoder::Yolov8Seg || decoder == OutputDecoder::EndToEndSeg ||
         decoder == OutputDecoder::MaskRcnn || decoder == OutputDecoder::RfDetr ||
         decoder == OutputDecoder::MmDeploy || decoder == OutputDecoder::Objects ||
         decoder == OutputDecoder::Auto;
}

bool givesKeypoints(OutputDecoder decoder, int count) {
  constexpr int kLandmarks = 5;
  switch (decoder) {
    case OutputDecoder::Auto:
    case OutputDecoder::Objects:
      return true;
    case OutputDecoder::HeatMaps:
    case OutputDecoder::SimCc:
    case OutputDecoder::Yolov8Pose:
    case OutputDecoder::EndToEndPose:
      return count > 0;
    case OutputDecoder::YuNet:
      return count == 0 || count == kLandmarks;
    default:
      return count == 0;
  }
}

}  // namespace

void requireTask(const ModelFile& model) {
  const std::string name = "decoder " + std::string(toString(model.decoder));
  if (model.rules.masks && !givesMasks(model.decoder))
    throw Error(model.path + ": [model] task", "is segmentation, and " + name + " gives no masks");
  if (model.rules.rotated && !tellsRotated(model.decoder) && model.decoder != OutputDecoder::Auto)
    throw Error(model.path + ": [model] task", "is obb, and " + name + " gives no rotated boxes");
  if (!givesKeypoints(model.decoder, model.rules.keypoints))
    throw Error(model.path + ": [output] keypoints", "is not what " + name + " gives");
}

void requireDetectorLabels(const ModelFile& model, const Labels& labels) {
  for (const std::string& label : model.detectorLabels)
    if (labels.size() > 0 && std::ranges::find(labels.names(), label) == labels.names().end())
      throw Error(model.path + ": [model] detector-labels",
                  "'" + label + "' is not a label of the detector " + model.detector->name);
}

}  // namespace elf
