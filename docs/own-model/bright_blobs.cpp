// SPDX-License-Identifier: LGPL-2.1-or-later
// A model of one's own: finds what is brighter than its surroundings, and tells its outline.
#include <elf/server/model_library.h>

#include <opencv2/imgproc.hpp>

namespace {

elf::ModelFile described(elf::ModelFile file) {
  if (file.rules.labels.names().empty())
    file.rules.labels = {"blob"};  // a .model file may name others
  file.rules.masks = true;
  file.rules.context = 8;  // what it has to see around a blob
  return file;
}

class BrightBlobs : public elf::InferenceModel {
 public:
  explicit BrightBlobs(const elf::ModelFile& file) : InferenceModel(described(file)) {}

  std::string platform() const override { return "opencv_blobs"; }

  elf::Result<std::vector<elf::Detection>> run(const elf::ImageView& bgr,
                                               const elf::Placement&) override {
    const cv::Mat picture(bgr.size.height, bgr.size.width, CV_8UC3,
                          const_cast<std::uint8_t*>(bgr.planes[0]),
                          static_cast<std::size_t>(bgr.strides[0]));
    cv::Mat grey, blobs, table, centres;
    cv::cvtColor(picture, grey, cv::COLOR_BGR2GRAY);
    const int count = cv::connectedComponentsWithStats(grey > 128, blobs, table, centres);
    std::vector<elf::Detection> found;
    for (int i = 1; i < count; ++i) {  // 0 is the ground
      if (table.at<int>(i, cv::CC_STAT_AREA) < 16) continue;
      const elf::Rect rect{table.at<int>(i, cv::CC_STAT_LEFT), table.at<int>(i, cv::CC_STAT_TOP),
                           table.at<int>(i, cv::CC_STAT_WIDTH),
                           table.at<int>(i, cv::CC_STAT_HEIGHT)};
      const cv::Mat pixels = (blobs(cv::Rect(rect.x, rect.y, rect.width, rect.height)) == i) / 255;
      elf::Detection blob{.box = elf::toBox(rect), .score = 1, .label = rules().label(0)};
      blob.mask = elf::Mask(rect, {pixels.begin<std::uint8_t>(), pixels.end<std::uint8_t>()});
      found.push_back(std::move(blob));
    }
    return found;
  }
};

}  // namespace

ELF_MODEL_LIBRARY(BrightBlobs)
