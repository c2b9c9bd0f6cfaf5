// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/input_tensor.h"

#include <array>

namespace elf {

cv::Mat inputTensor(std::span<const cv::Mat> bgr, const ModelFile& file) {
  const int rows = bgr[0].rows, columns = bgr[0].cols;
  const std::array<int, 4> shape{static_cast<int>(bgr.size()), 3, rows, columns};
  cv::Mat tensor(static_cast<int>(shape.size()), shape.data(), CV_32F);
  for (std::size_t n = 0; n < bgr.size(); ++n) {
    std::array<cv::Mat, 3> channels;
    cv::split(bgr[n], channels.data());
    for (std::size_t i = 0; i < channels.size(); ++i) {
      cv::Mat plane(rows, columns, CV_32F, tensor.ptr(static_cast<int>(n), static_cast<int>(i)));
      const double scale = *file.scale / (*file.std)[i];
      const std::size_t from = *file.colour == ChannelOrder::Rgb ? 2 - i : i;
      channels[from].convertTo(plane, CV_32F, scale, -(*file.mean)[i] * scale);
    }
  }
  return tensor;
}

}  // namespace elf
