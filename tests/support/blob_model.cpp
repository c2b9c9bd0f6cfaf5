// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/blob_model.h"

#include <opencv2/imgproc.hpp>

#include "elf/server/backends.h"

namespace elf::testing {

namespace {

ModelFile blobFile() {
  ModelFile file;
  file.name = "blob";
  file.rules.labels = {"blob"};
  file.rules.context = 4;
  return file;
}

}  // namespace

BlobModel::BlobModel(Gate* gate) : InferenceModel(blobFile()), gate_(gate) {}

Result<std::vector<Detection>> BlobModel::run(const ImageView& bgr, const Placement&) {
  if (gate_) gate_->pass();
  cv::Mat grey, labels, stats, centroids;
  cv::cvtColor(matOf(bgr), grey, cv::COLOR_BGR2GRAY);
  const int count = cv::connectedComponentsWithStats(grey > 128, labels, stats, centroids);
  std::vector<Detection> detections;
  for (int i = 1; i < count; ++i) {  // 0 is the ground
    if (stats.at<int>(i, cv::CC_STAT_AREA) < 16) continue;
    const Rect box{stats.at<int>(i, cv::CC_STAT_LEFT), stats.at<int>(i, cv::CC_STAT_TOP),
                   stats.at<int>(i, cv::CC_STAT_WIDTH), stats.at<int>(i, cv::CC_STAT_HEIGHT)};
    detections.push_back({.box = toBox(box), .score = 1, .labelId = 0, .label = "blob"});
  }
  return detections;
}

}  // namespace elf::testing
