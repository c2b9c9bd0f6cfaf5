// SPDX-License-Identifier: LGPL-2.1-or-later
// Shared by the command lines of several programs.
#pragma once

#include <glib.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "elf/geometry/box.h"

namespace elf::program {

/** A text that GOption fills in. */
class Text {
 public:
  Text() = default;
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text() { g_free(text_); }

  /** For GOptionEntry::arg_data. */
  gchar** slot() { return &text_; }
  std::string valueOr(const std::string& otherwise) const { return text_ ? text_ : otherwise; }

 private:
  gchar* text_ = nullptr;
};

/** Parses "1242x375". Unset if it is not a size. */
inline std::optional<Size> parseSize(std::string_view text) {
  Size size;
  const char* const end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  if (width.ec != std::errc{} || width.ptr == end || *width.ptr != 'x') return std::nullopt;
  const auto height = std::from_chars(width.ptr + 1, end, size.height);
  if (height.ec != std::errc{} || height.ptr != end || size.empty()) return std::nullopt;
  return size;
}

}  // namespace elf::program
