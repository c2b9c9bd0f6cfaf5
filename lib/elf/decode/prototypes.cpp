// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/prototypes.h"

#include <algorithm>

namespace elf {

namespace {

constexpr int kPrototypeStride = 4;

}  // namespace

const NamedTensor* findPrototypes(const Tensors& tensors, Size canvas) {
  const auto found = std::ranges::find_if(tensors, [&](const NamedTensor& tensor) {
    return hasShape(tensor.values,
                    {1, -1, canvas.height / kPrototypeStride, canvas.width / kPrototypeStride});
  });
  return found == tensors.end() ? nullptr : &*found;
}

MaskGrid maskOf(const cv::Mat& prototypes, const Box& box, Coefficients coefficients) {
  // Only the cells of the box, and one more on each side for interpolation.
  const Size grid{prototypes.size[3], prototypes.size[2]};
  constexpr float kCell = 1.0F / kPrototypeStride;
  const Rect rect = roundOutwards(grow(scaled(box, kCell, kCell), {1, 1, 1, 1}), grid);
  const cv::Rect part(rect.x, rect.y, rect.width, rect.height);
  cv::Mat sum(part.size(), CV_32F, cv::Scalar(0.5));
  for (int i = 0; i < prototypes.size[1]; ++i) {
    // OpenCV has no read-only Mat.
    const cv::Mat prototype(grid.height, grid.width, CV_32F,
                            const_cast<uchar*>(prototypes.ptr(0, i)));
    cv::scaleAdd(prototype(part),
                 coefficients.first[static_cast<std::size_t>(i) * coefficients.step], sum, sum);
  }
  return {sum, scaled(toBox(rect), kPrototypeStride, kPrototypeStride)};
}

}  // namespace elf
