// SPDX-License-Identifier: LGPL-2.1-or-later
// A small copy of the last picture that a model was run on, for the status page. Not installed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/image/image_view.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/types/detection.h"

namespace elf {

struct ShownAnswer {
  /** A JPEG file, scaled down. */
  std::vector<std::uint8_t> jpeg;
  /** The size of the original picture, in whose pixels the boxes are. */
  Size size;
  std::vector<Detection> found;
};

/** All functions may be called from any thread. */
class LastPicture {
 public:
  /** The maximum length of the longer side, in pixels. */
  static constexpr int kLongestSide = 320;
  /** The maximum number of boxes. The first ones are kept. */
  static constexpr std::size_t kMostFound = 100;
  /** The minimum time between two pictures. */
  static constexpr std::chrono::milliseconds kInterval{500};

  /**
   * Replaces the last picture and its detections, unless that is too new or another one is being
   * encoded. `bgr` has format BGR and is not empty.
   */
  void show(const ImageView& bgr, const std::vector<Detection>& found,
            std::chrono::steady_clock::time_point now);
  /** Null before the first. */
  std::shared_ptr<const ShownAnswer> last() const;

 private:
  // Held while a picture is encoded. Never waited for.
  Mutex making_;
  JpegEncoder encoder_ ELF_GUARDED_BY(making_);
  std::chrono::steady_clock::time_point next_ ELF_GUARDED_BY(making_){};

  mutable Mutex mutex_;
  std::shared_ptr<const ShownAnswer> last_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
