// SPDX-License-Identifier: LGPL-2.1-or-later
// The last picture that a model was run on, small, for people to look at. Not installed.
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
  /** Of the picture itself, whose pixels the boxes count. */
  Size size;
  std::vector<Detection> found;
};

/** All functions may be called from any thread. */
class LastPicture {
 public:
  /** The longer side of what is shown, at most, in pixels. */
  static constexpr int kLongestSide = 320;
  /** Boxes that are shown, at most: the first ones. */
  static constexpr std::size_t kMostFound = 100;
  /** A picture stands for at least so long. */
  static constexpr std::chrono::milliseconds kInterval{500};

  /**
   * Keeps a picture of format BGR, not empty, and what was found there in place of the last one,
   * unless that is too new, or is being made just then.
   */
  void show(const ImageView& bgr, const std::vector<Detection>& found,
            std::chrono::steady_clock::time_point now);
  /** Null before the first. */
  std::shared_ptr<const ShownAnswer> last() const;

 private:
  // Held while a picture is encoded, and never waited for.
  Mutex making_;
  JpegEncoder encoder_ ELF_GUARDED_BY(making_);
  std::chrono::steady_clock::time_point next_ ELF_GUARDED_BY(making_){};

  mutable Mutex mutex_;
  std::shared_ptr<const ShownAnswer> last_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
