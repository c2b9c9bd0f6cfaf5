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
 * Cuts rectangles out of frames. The pixels are bit-exact those that videoconvert makes from the
 * whole frame, at the cost of the rectangle alone. Keeps its memory between calls. Use one instance
 * per thread.
 */
class RgbCutter {
 public:
  /**
   * `rect` lies inside the frame and is not empty. It is scaled to `sent`. Returns rows of R, G, B
   * without gaps, valid until the next call. Empty if GStreamer can't convert the format.
   */
  std::span<const std::uint8_t> cut(const MappedFrame& frame, const Rect& rect, Size sent);

 private:
  std::vector<std::uint8_t> converted_;
  std::vector<std::uint8_t> cut_;
};

}  // namespace elf::gst
