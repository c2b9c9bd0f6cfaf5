// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/discovery/thumbnail.h"

#include <opencv2/imgproc.hpp>
#include <utility>

namespace elf {

namespace {

/** Bytes of a pixel in the first plane, and the place of its green, which is nearest to
 * brightness. */
struct Layout {
  int channels = 1;
  int green = 0;
};

Layout layoutOf(PixelFormat format) {
  switch (format) {
    case PixelFormat::RGB:
    case PixelFormat::BGR:
      return {3, 1};
    case PixelFormat::RGBx:
    case PixelFormat::BGRx:
      return {4, 1};
    case PixelFormat::xRGB:
    case PixelFormat::xBGR:
      return {4, 2};
    default:  // the first plane is luma
      return {1, 0};
  }
}

/**
 * Halves the picture as often as possible first: OpenCV needs a fortieth of the time for means of
 * 2x2 pixels than for means of fractions of pixels.
 */
cv::Mat reduced(cv::Mat plane, cv::Size size) {
  while (plane.cols >= 2 * size.width && plane.rows >= 2 * size.height && plane.cols % 2 == 0 &&
         plane.rows % 2 == 0) {
    cv::Mat half;
    cv::resize(plane, half, {plane.cols / 2, plane.rows / 2}, 0, 0, cv::INTER_AREA);
    plane = std::move(half);
  }
  cv::Mat small;
  cv::resize(plane, small, size, 0, 0, cv::INTER_AREA);
  return small;
}

}  // namespace

void makeThumbnail(const ImageView& picture, Size size, std::vector<std::uint8_t>& grey) {
  grey.resize(static_cast<std::size_t>(size.width) * size.height);
  const Layout layout = layoutOf(picture.format);
  const cv::Mat plane(picture.size.height, picture.size.width, CV_8UC(layout.channels),
                      const_cast<std::uint8_t*>(picture.planes[0]),
                      static_cast<std::size_t>(picture.strides[0]));
  cv::Mat out(size.height, size.width, CV_8UC1, grey.data());
  const cv::Mat small = reduced(plane, out.size());
  if (layout.channels == 1)
    small.copyTo(out);
  else
    cv::extractChannel(small, out, layout.green);
}

}  // namespace elf
