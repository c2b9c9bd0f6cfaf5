// SPDX-License-Identifier: LGPL-2.1-or-later
// Draws words as pixels. Not installed.
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
 * The letters of one height. Each is rasterised when it is first used, and then kept.
 *
 * Printable ASCII has the strokes of the Hershey font inside opencv_imgproc, which is linked
 * anyway: no font file and no fontconfig at run time. OpenCV's own anti-aliasing is too coarse for
 * letters of ten pixels: they are drawn four times as large and averaged down. Script draws names
 * with other letters, if it can. For one thread.
 */
class Letters {
 public:
  /** `height`, at least 1, is from above the highest letter to below the lowest, in pixels. */
  explicit Letters(int height) : height_(height) {}

  int height() const { return height_; }

  /**
   * At most `most` letters of `text` on one line, with blanks for those that are not printable. If
   * it is not UTF-8 or no font has all of its letters: printable().
   */
  std::string drawable(std::string_view text, std::size_t most);

  /** The width of a `name`, which is drawable(), followed by printable ASCII. */
  int width(std::string_view name, std::string_view rest = {});
  /** The ink of each pixel, 0..255, row by row, width() times height() values. */
  std::vector<std::uint8_t> drawn(std::string_view name, std::string_view rest = {});

 private:
  struct Letter {
    /** The distance to the beginning of the next one. */
    int advance = 0;
    /** Includes kOverhang pixels on both sides. height() rows. Empty: not made yet. */
    std::vector<std::uint8_t> ink;
  };
  static constexpr int kOverhang = 2;
  static constexpr char kFirst = ' ';
  static constexpr char kLast = '~';

  const Letter& letter(char c);
  /** Null for ASCII, and for words that Script can't draw. */
  const Ink* script(std::string_view words);

  int height_;
  std::array<Letter, kLast - kFirst + 1> letters_;
  /** Null before it is needed, and if it is not built in. */
  std::unique_ptr<Script> script_;
};

}  // namespace elf
