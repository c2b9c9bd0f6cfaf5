// SPDX-License-Identifier: LGPL-2.1-or-later
// Words as pixels. Not installed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "elf/geometry/box.h"

namespace elf {

/**
 * The letters of one height, each rasterised when it is first used and then kept. Words are
 * printable ASCII (elf/base/printable.h); any other byte is a blank.
 *
 * The strokes are those of the Hershey font that opencv_imgproc, which is linked anyway, has
 * inside: no font file and no fontconfig at run time, unlike Pango and FreeType, which would show a
 * label in any script, but nothing on a machine without fonts. OpenCV's own anti-aliasing is too
 * coarse for letters of ten pixels: they are drawn four times as large and averaged down. For one
 * thread.
 */
class Letters {
 public:
  /** `height`, at least 1: from above the highest letter to below the lowest, in pixels. */
  explicit Letters(int height) : height_(height) {}

  int height() const { return height_; }
  int width(std::string_view words);
  /** How much of each pixel is ink, 0..255, row by row; width(words) times height() of them. */
  std::vector<std::uint8_t> drawn(std::string_view words);

 private:
  struct Letter {
    /** From here to where the next one begins. */
    int advance = 0;
    /** Also what sticks out, kOverhang pixels on both sides; height() rows. Empty: not made yet. */
    std::vector<std::uint8_t> ink;
  };
  static constexpr int kOverhang = 2;
  static constexpr char kFirst = ' ';
  static constexpr char kLast = '~';

  const Letter& letter(char c);

  int height_;
  std::array<Letter, kLast - kFirst + 1> letters_;
};

}  // namespace elf
