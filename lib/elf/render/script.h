// SPDX-License-Identifier: LGPL-2.1-or-later
// Draws words in any script as pixels. Not installed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace elf {

/** The ink of each pixel, 0..255, row by row without gaps. */
struct Ink {
  int width = 0;
  std::vector<std::uint8_t> pixels;
};

/** Keeps its last drawings. For one thread. */
class Script {
 public:
  virtual ~Script() = default;

  /**
   * Draws `words`, UTF-8 on one line, in the rows that createScript() set. Null if no font of this
   * machine has all of their letters. Valid until the next call.
   */
  virtual const Ink* drawn(const std::string& words) = 0;
};

/**
 * The baseline of the letters is row `baseline` of `height`. Letters that would not fit are made
 * smaller. Null if Elf is built without Pango (Meson's option `pango`).
 */
std::unique_ptr<Script> createScript(int height, int baseline);

}  // namespace elf
