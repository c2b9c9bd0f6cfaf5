// SPDX-License-Identifier: LGPL-2.1-or-later
// Rectangles of a picture as JPEG files, straight from the picture's planes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "elf/base/error.h"
#include "elf/image/image_view.h"

namespace elf {

/**
 * Encodes a rectangle, scaled if requested, without touching the rest of the picture. Decoded, it
 * is the RGB that videoconvert makes of the same rectangle, whatever the format, matrix, range and
 * origin. JFIF is full-range BT.601, so other YUV is converted plane by plane. YUV with an even
 * origin, and every scaled YUV part, is stored as 4:2:0. The rest is stored as 4:4:4, because the
 * picture's chroma samples do not match those of a 4:2:0 part (as in interlaced ones), or it has
 * none. GRAY8 has one plane.
 *
 * Keeps its scratch memory between calls. Use one instance per thread.
 */
class JpegEncoder {
 public:
  /** Throws elf::Error if TurboJPEG cannot start. */
  JpegEncoder();
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;
  ~JpegEncoder();

  /**
   * `rect` lies inside the picture and is not empty. It is scaled to `sent`. `quality` is 1..100.
   * The file is valid until the next call. Fails on a size that JPEG cannot hold (more than 65500
   * pixels on a side).
   */
  Result<std::span<const std::uint8_t>> encode(const ImageView& image, const Rect& rect, Size sent,
                                               int quality);

 private:
  struct Private;
  std::unique_ptr<Private> p_;
};

}  // namespace elf
