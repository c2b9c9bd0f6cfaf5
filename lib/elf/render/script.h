// SPDX-License-Identifier: LGPL-2.1-or-later
// Words in any script as pixels. Not installed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace elf {

/** How much of each pixel is ink, 0..255, row by row without gaps. */
struct Ink {
  int width = 0;
  std::vector<std::uint8_t> pixels;
};

/** Keeps what it drew last. For one thread. */
class Script {
 public:
  virtual ~Script() = default;

  /**
   * `words`, UTF-8 on one line, with as many rows as createScript() was told. Null where no font
   * of this machine has all of their letters. Valid until the next call.
   */
  virtual const Ink* drawn(const std::string& words) = 0;
};

/**
 * Letters stand on row `baseline` of `height`, and are made smaller where they would not fit. Null
 * where Elf is built without Pango (Meson's option `pango`).
 */
std::unique_ptr<Script> createScript(int height, int baseline);

}  // namespace elf
