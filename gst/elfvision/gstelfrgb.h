// SPDX-License-Identifier: LGPL-2.1-or-later
// Rectangles of video frames as RGB pixels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "elf/geometry/box.h"
#include "gst/elfvision/gstelfvideo.h"

namespace elf::gst {

/**
 * Cuts rectangles out of frames. The pixels are those that videoconvert makes of the whole frame,
 * to the bit, at the cost of the rectangle alone. Keeps its memory between calls; one instance for
 * each thread.
 */
class RgbCutter {
 public:
  /**
   * `rect` is inside the frame and not empty; `sent` is the size that it is scaled to. Rows of R,
   * G, B without gaps, valid until the next call; empty where GStreamer can't convert the format.
   */
  std::span<const std::uint8_t> cut(const MappedFrame& frame, const Rect& rect, Size sent);

 private:
  std::vector<std::uint8_t> converted_;
  std::vector<std::uint8_t> cut_;
};

}  // namespace elf::gst
