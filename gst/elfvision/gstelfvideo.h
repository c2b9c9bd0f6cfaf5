// SPDX-License-Identifier: LGPL-2.1-or-later
// Views of mapped video frames, and the caps, pads and ALLOCATION answers that all elements share.
#pragma once

#include <gst/video/video.h>

#include <optional>

#include "elf/image/image_view.h"

/** The raw formats that all Elf elements accept, in system memory. */
#define GST_ELF_VIDEO_CAPS                                           \
  GST_VIDEO_CAPS_MAKE(                                               \
      "{ I420, NV12, BGR, RGB, BGRx, BGRA, RGBx, RGBA, xRGB, ARGB, " \
      "xBGR, ABGR, GRAY8 }")

namespace elf::gst {

/** For class_init: adds the always-present pad templates `sink` and `src` with
 * GST_ELF_VIDEO_CAPS. */
void addVideoPads(GstElementClass* klass);

/** For programs: lets decodebin learn from EXIF how a photo is to be turned. It does so by itself
 * from GStreamer 1.24 on. */
void readOrientationOfPhotos();

/** As FrameRecord::pixelAspect. 1 for caps that say less than 1/4 or more than 4, as broken files
 * do. */
double pixelAspect(const GstVideoInfo& info);

/**
 * Forwards an ALLOCATION query downstream of `srcpad`, so that upstream gets the pools and metas
 * from there. Adds GstVideoMeta, because every Elf element reads strides from it. Removes
 * GstVideoCropMeta: to an Elf element, the whole buffer is the frame. Always true, since an element
 * with no needs of its own has no reason to refuse. Call it without a lock.
 */
gboolean forwardAllocation(GstPad* srcpad, GstQuery* query);

/**
 * A buffer mapped as video. The destructor unmaps it. Holds a reference to the buffer. Takes stride
 * and offsets from GstVideoMeta if the buffer has one.
 */
class MappedFrame {
 public:
  /** Unset if the buffer is too small for `info` or can't be mapped. */
  static std::optional<MappedFrame> map(const GstVideoInfo& info, GstBuffer* buffer,
                                        GstMapFlags flags);
  MappedFrame(MappedFrame&& other) noexcept;
  MappedFrame& operator=(MappedFrame&&) = delete;
  ~MappedFrame();

  /** Valid for the lifetime of this object. */
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
