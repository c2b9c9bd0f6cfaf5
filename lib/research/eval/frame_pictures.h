// SPDX-License-Identifier: LGPL-2.1-or-later
// The pictures of a data set's videos.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "elf/image/image_view.h"

namespace elf::eval {

/**
 * Reads them from a folder with the videos' pictures in TRACE/ or TRACE/img1/, or in the folder
 * itself if it has no such folder: PNG, JPEG, PPM and BMP. In the order of comesBefore() they are
 * frames 0, 1, 2, ... of the trace. Not thread-safe.
 */
class FramePictures {
 public:
  /** Throws elf::Error naming the folder if it is not one. */
  explicit FramePictures(std::string folder);

  /**
   * A frame in BGR, scaled to `size` if it has another one. Its pixels are valid until the next
   * call. Throws elf::Error naming a picture that is missing or can't be read.
   */
  ImageView read(const std::string& trace, std::int64_t frame, Size size);

 private:
  const std::vector<std::string>& filesOf(const std::string& trace);

  std::string folder_;
  std::map<std::string, std::vector<std::string>> files_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace elf::eval
