// SPDX-License-Identifier: LGPL-2.1-or-later
// Mapped video frames as the library's picture views, and the caps, pads and answers to the
// ALLOCATION query that all elements share.
#pragma once

#include <gst/video/video.h>

#include <optional>

#include "elf/image/image_view.h"

/** The raw formats that every Elf element takes, in system memory. */
#define GST_ELF_VIDEO_CAPS                                           \
  GST_VIDEO_CAPS_MAKE(                                               \
      "{ I420, NV12, BGR, RGB, BGRx, BGRA, RGBx, RGBA, xRGB, ARGB, " \
      "xBGR, ABGR, GRAY8 }")

namespace elf::gst {

/** For class_init: the pad templates `sink` and `src`, both always there, of GST_ELF_VIDEO_CAPS. */
void addVideoPads(GstElementClass* klass);

/**
 * Asks downstream of `srcpad`, so that upstream gets its pools and metas, and adds GstVideoMeta:
 * every Elf element reads strides from it. GstVideoCropMeta is taken out: to an Elf element, all
 * that is in a buffer is the frame. Always true, since an element that asks for nothing itself has
 * no reason to refuse. Call it without a lock.
 */
gboolean forwardAllocation(GstPad* srcpad, GstQuery* query);

/**
 * A buffer mapped as video; unmapped by the destructor. Takes a reference on the buffer. Stride
 * and offsets come from GstVideoMeta where the buffer has one.
 */
class MappedFrame {
 public:
  /** Unset where the buffer is too small for `info` or can't be mapped so. */
  static std::optional<MappedFrame> map(const GstVideoInfo& info, GstBuffer* buffer,
                                        GstMapFlags flags);
  MappedFrame(MappedFrame&& other) noexcept;
  MappedFrame& operator=(MappedFrame&&) = delete;
  ~MappedFrame();

  /** Valid as long as this object. */
  ImageView view() const;
  const GstVideoFrame& frame() const { return frame_; }
  /** Only for a frame that was mapped with GST_MAP_WRITE. */
  MutableImageView mutableView();

 private:
  MappedFrame() = default;
  GstVideoFrame frame_{};
  bool mapped_ = false;
};

}  // namespace elf::gst
