// SPDX-License-Identifier: LGPL-2.1-or-later
// Words as pixels. Not installed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "elf/render/script.h"

namespace elf {

/**
 * The letters of one height, each rasterised when it is first used and then kept.
 *
 * Printable ASCII has the strokes of the Hershey font that opencv_imgproc, which is linked anyway,
 * has inside: no font file and no fontconfig at run time. OpenCV's own anti-aliasing is too coarse
 * for letters of ten pixels: they are drawn four times as large and averaged down. A name with
 * other letters is drawn by Script, where it can be. For one thread.
 */
class Letters {
 public:
  /** `height`, at least 1: from above the highest letter to below the lowest, in pixels. */
  explicit Letters(int height) : height_(height) {}

  int height() const { return height_; }

  /**
   * At most `most` letters of `text` on one line, with blanks for those that are not printable; or
   * printable(), where it is not UTF-8 or no font has all of its letters.
   */
  std::string drawable(std::string_view text, std::size_t most);

  /** Of a `name`, which is drawable(), and printable ASCII behind it. */
  int width(std::string_view name, std::string_view rest = {});
  /** How much of each pixel is ink, 0..255, row by row; width() times height() of them. */
  std::vector<std::uint8_t> drawn(std::string_view name, std::string_view rest = {});

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
  /** Null for ASCII, and where it can't draw them. */
  const Ink* script(std::string_view words);

  int height_;
  std::array<Letter, kLast - kFirst + 1> letters_;
  /** Null before it is needed, and where it is not built in. */
  std::unique_ptr<Script> script_;
};

}  // namespace elf
