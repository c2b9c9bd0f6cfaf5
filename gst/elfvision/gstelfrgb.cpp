// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfrgb.h"

#include <algorithm>
#include <memory>

#include "elf/image/scaling.h"
#include "gst/elfvision/gstelfref.h"

namespace elf::gst {

namespace {

constexpr int kChannels = 3;

/**
 * A pixel's colour depends on the chroma of its neighbours. Chroma begins at every second column
 * and at every second row, in interlaced frames at every second row of a field.
 */
Rect withNeighbours(const Rect& rect, Size frame, bool interlaced) {
  constexpr int kColumns = 2;
  const int rows = interlaced ? 4 : 2;
  const int x = std::max(0, rect.x - kColumns) / kColumns * kColumns;
  const int y = std::max(0, rect.y - rows) / rows * rows;
  return {x, y, std::min(frame.width, rect.right() + kColumns) - x,
          std::min(frame.height, roundUp(rect.bottom(), rows) + rows) - y};
}

/** A rectangle of a mapped frame: the info, flags and data that GstVideoConverter reads. */
GstVideoFrame within(const GstVideoFrame& frame, const Rect& rect) {
  GstVideoFrame part{};
  part.info = frame.info;
  part.flags = frame.flags;
  part.info.width = rect.width;
  part.info.height = rect.height;
  const GstVideoFormatInfo* format = frame.info.finfo;
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&frame); ++plane) {
    gint components[GST_VIDEO_MAX_COMPONENTS];
    gst_video_format_info_component(format, plane, components);
    const auto c = static_cast<guint>(components[0]);
    const int x = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c, rect.x);
    const int y = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, c, rect.y);
    part.data[plane] = static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, plane)) +
                       y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane) +
                       x * GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
  }
  return part;
}

}  // namespace

std::span<const std::uint8_t> RgbCutter::cut(const MappedFrame& frame, const Rect& rect,
                                             Size sent) {
  const GstVideoFrame& whole = frame.frame();
  const Rect wide = withNeighbours(rect, frame.view().size, GST_VIDEO_FRAME_IS_INTERLACED(&whole));
  GstVideoFrame source = within(whole, wide);
  GstVideoFrame target{};
  target.flags = source.flags;
  gst_video_info_set_format(&target.info, GST_VIDEO_FORMAT_RGB, static_cast<guint>(wide.width),
                            static_cast<guint>(wide.height));
  // The converter refuses frames that differ in these.
  target.info.fps_n = source.info.fps_n;
  target.info.fps_d = source.info.fps_d;
  target.info.interlace_mode = source.info.interlace_mode;
  target.info.stride[0] = wide.width * kChannels;
  converted_.resize(static_cast<std::size_t>(target.info.stride[0]) * wide.height);
  target.data[0] = converted_.data();
  const Ref<GstVideoConverter> converter(
      gst_video_converter_new(&source.info, &target.info, nullptr));
  if (!converter) return {};
  gst_video_converter_frame(converter.get(), &source, &target);

  const cv::Mat all(wide.height, wide.width, CV_8UC3, converted_.data());
  const cv::Mat inner = all(cv::Rect(rect.x - wide.x, rect.y - wide.y, rect.width, rect.height));
  cut_.resize(static_cast<std::size_t>(sent.width) * sent.height * kChannels);
  cv::Mat out(sent.height, sent.width, CV_8UC3, cut_.data());
  if (sent == rect.size())
    inner.copyTo(out);
  else
    cv::resize(inner, out, out.size(), 0, 0, interpolationFor(rect.size(), sent));
  return cut_;
}

}  // namespace elf::gst
