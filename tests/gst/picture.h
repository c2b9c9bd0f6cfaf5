// SPDX-License-Identifier: LGPL-2.1-or-later
// A picture in some format, and what videoconvert makes of it.
#pragma once

#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gst/elfvision/gstelfvideo.h"

namespace elf::testing {

/** Owns a buffer of some format and its videoconverted RGB. */
class Picture {
 public:
  Picture(const std::string& format, const std::string& colorimetry, Size size,
          const std::string& interlaceMode = "progressive")
      : size_(size) {
    std::string caps = "video/x-raw,format=" + format + ",width=" + std::to_string(size.width) +
                       ",height=" + std::to_string(size.height) +
                       ",interlace-mode=" + interlaceMode;
    if (!colorimetry.empty()) caps += ",colorimetry=(string)" + colorimetry;
    GstCaps* parsed = gst_caps_from_string(caps.c_str());
    EXPECT_TRUE(gst_video_info_from_caps(&info_, parsed)) << caps;
    gst_caps_unref(parsed);
    // A smooth picture in which all three channels differ, made by videoconvert itself. In an
    // interlaced one both fields differ.
    gst_video_info_set_format(&rgbInfo_, GST_VIDEO_FORMAT_RGB, static_cast<guint>(size.width),
                              static_cast<guint>(size.height));
    rgbInfo_.interlace_mode = info_.interlace_mode;
    GstBuffer* source = gst_buffer_new_allocate(nullptr, rgbInfo_.size, nullptr);
    fill(source);
    buffer_ = gst_buffer_new_allocate(nullptr, info_.size, nullptr);
    convert(rgbInfo_, source, info_, buffer_);
    gst_buffer_unref(source);
    rgb_ = gst_buffer_new_allocate(nullptr, rgbInfo_.size, nullptr);
    convert(info_, buffer_, rgbInfo_, rgb_);
    mapped_.emplace(*gst::MappedFrame::map(info_, buffer_, GST_MAP_READ));
  }
  ~Picture() {
    mapped_.reset();
    gst_buffer_unref(rgb_);
    gst_buffer_unref(buffer_);
  }

  ImageView view() const { return mapped_->view(); }

  const gst::MappedFrame& mapped() const { return *mapped_; }

  /** What videoconvert makes of the whole picture, in the rectangle: rows of R, G, B without gaps.
   */
  std::vector<std::uint8_t> rgbOf(const Rect& rect) const {
    GstVideoFrame frame;
    gst_video_frame_map(&frame, &rgbInfo_, rgb_, GST_MAP_READ);
    const auto* pixels = static_cast<const std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0));
    std::vector<std::uint8_t> rows;
    for (int y = rect.y; y < rect.bottom(); ++y) {
      const auto* row = pixels + y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
      rows.insert(rows.end(), row + rect.x * 3, row + rect.right() * 3);
    }
    gst_video_frame_unmap(&frame);
    return rows;
  }

 private:
  void fill(GstBuffer* buffer) const {
    GstVideoFrame frame;
    gst_video_frame_map(&frame, &rgbInfo_, buffer, GST_MAP_WRITE);
    auto* pixels = static_cast<std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0));
    const int stride = GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
    for (int y = 0; y < size_.height; ++y)
      for (int x = 0; x < size_.width; ++x) {
        std::uint8_t* pixel = pixels + y * stride + x * 3;
        const bool lower = GST_VIDEO_INFO_IS_INTERLACED(&info_) && y % 2 != 0;
        pixel[0] = static_cast<std::uint8_t>(128 + (lower ? -100 : 100) * std::sin(0.02 * x));
        pixel[1] = static_cast<std::uint8_t>(128 + 100 * std::sin(0.015 * y + 1));
        pixel[2] = static_cast<std::uint8_t>(128 + 100 * std::sin(0.01 * (x + y) + 2));
      }
    gst_video_frame_unmap(&frame);
  }

  static void convert(const GstVideoInfo& from, GstBuffer* source, const GstVideoInfo& to,
                      GstBuffer* target) {
    GstVideoConverter* converter = gst_video_converter_new(&from, &to, nullptr);
    GstVideoFrame in, out;
    gst_video_frame_map(&in, &from, source, GST_MAP_READ);
    gst_video_frame_map(&out, &to, target, GST_MAP_WRITE);
    gst_video_converter_frame(converter, &in, &out);
    gst_video_frame_unmap(&out);
    gst_video_frame_unmap(&in);
    gst_video_converter_free(converter);
  }

  Size size_;
  GstVideoInfo info_{}, rgbInfo_{};
  GstBuffer* buffer_ = nullptr;
  GstBuffer* rgb_ = nullptr;
  std::optional<gst::MappedFrame> mapped_;
};

/** Of a picture of 101x75. */
inline const std::vector<Rect> kOddRects = {
    {0, 0, 101, 75}, {0, 0, 64, 48},  {1, 0, 64, 48},  {0, 1, 63, 47}, {1, 1, 64, 48},
    {7, 5, 33, 21},  {100, 74, 1, 1}, {0, 0, 1, 1},    {3, 2, 1, 1},   {2, 3, 2, 1},
    {99, 73, 2, 2},  {98, 0, 3, 75},  {0, 72, 101, 3}, {1, 1, 100, 74}};

}  // namespace elf::testing
