// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfvideo.h"

#include <gst/video/gstvideometa.h>

#include <utility>

#include "gst/elfvision/gstelfref.h"

namespace elf::gst {

namespace {

PixelFormat pixelFormat(GstVideoFormat format) {
  switch (format) {
    case GST_VIDEO_FORMAT_NV12:
      return PixelFormat::NV12;
    case GST_VIDEO_FORMAT_BGR:
      return PixelFormat::BGR;
    case GST_VIDEO_FORMAT_RGB:
      return PixelFormat::RGB;
    case GST_VIDEO_FORMAT_BGRx:
    case GST_VIDEO_FORMAT_BGRA:
      return PixelFormat::BGRx;
    case GST_VIDEO_FORMAT_RGBx:
    case GST_VIDEO_FORMAT_RGBA:
      return PixelFormat::RGBx;
    case GST_VIDEO_FORMAT_xRGB:
    case GST_VIDEO_FORMAT_ARGB:
      return PixelFormat::xRGB;
    case GST_VIDEO_FORMAT_xBGR:
    case GST_VIDEO_FORMAT_ABGR:
      return PixelFormat::xBGR;
    case GST_VIDEO_FORMAT_GRAY8:
      return PixelFormat::GRAY8;
    default:  // GST_ELF_VIDEO_CAPS holds nothing else
      return PixelFormat::I420;
  }
}

ColourMatrix colourMatrix(GstVideoColorMatrix matrix) {
  switch (matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT709:
      return ColourMatrix::Bt709;
    case GST_VIDEO_COLOR_MATRIX_BT2020:
      return ColourMatrix::Bt2020;
    default:
      return ColourMatrix::Bt601;
  }
}

template <typename View>
View makeView(const GstVideoFrame& frame) {
  View view;
  const GstVideoInfo& info = frame.info;
  view.format = pixelFormat(GST_VIDEO_INFO_FORMAT(&info));
  view.size = {GST_VIDEO_INFO_WIDTH(&info), GST_VIDEO_INFO_HEIGHT(&info)};
  for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(&info); ++i) {
    view.planes[i] = static_cast<std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, i));
    view.strides[i] = GST_VIDEO_FRAME_PLANE_STRIDE(&frame, i);
  }
  view.matrix = colourMatrix(info.colorimetry.matrix);
  view.range = info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255 ? ColourRange::Full
                                                                     : ColourRange::Limited;
  view.interlaced = GST_VIDEO_FRAME_IS_INTERLACED(&frame);
  return view;
}

}  // namespace

void addVideoPads(GstElementClass* klass) {
  const Ref<GstCaps> caps(gst_caps_from_string(GST_ELF_VIDEO_CAPS));
  gst_element_class_add_pad_template(
      klass, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps.get()));
  gst_element_class_add_pad_template(
      klass, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps.get()));
}

void readOrientationOfPhotos() {
  // Before 1.24 it has no rank, so that decodebin leaves it out.
  const Ref<GstPluginFeature> parser(gst_registry_lookup_feature(gst_registry_get(), "jpegparse"));
  if (parser && gst_plugin_feature_get_rank(parser.get()) == GST_RANK_NONE)
    gst_plugin_feature_set_rank(parser.get(), GST_RANK_PRIMARY);
}

double pixelAspect(const GstVideoInfo& info) {
  constexpr double kMost = 4;
  const double aspect = static_cast<double>(info.par_n) / info.par_d;
  return aspect >= 1 / kMost && aspect <= kMost ? aspect : 1;
}

gboolean forwardAllocation(GstPad* srcpad, GstQuery* query) {
  gst_pad_peer_query(srcpad, query);
  if (!gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr))
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  guint crop = 0;
  if (gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, &crop))
    gst_query_remove_nth_allocation_meta(query, crop);
  return TRUE;
}

std::optional<MappedFrame> MappedFrame::map(const GstVideoInfo& info, GstBuffer* buffer,
                                            GstMapFlags flags) {
  MappedFrame mapped;
  if (!gst_video_frame_map(&mapped.frame_, &info, buffer, flags)) return std::nullopt;
  mapped.mapped_ = true;
  return mapped;
}

MappedFrame::MappedFrame(MappedFrame&& other) noexcept
    : frame_(other.frame_), mapped_(std::exchange(other.mapped_, false)) {}

MappedFrame::~MappedFrame() {
  if (mapped_) gst_video_frame_unmap(&frame_);
}

ImageView MappedFrame::view() const {
  return makeView<ImageView>(frame_);
}

MutableImageView MappedFrame::mutableView() {
  return makeView<MutableImageView>(frame_);
}

}  // namespace elf::gst
