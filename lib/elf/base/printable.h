// SPDX-License-Identifier: LGPL-2.1-or-later
// Text for people to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>

namespace elf {

/**
 * `text` on one line: its first `most` bytes, with a blank for each byte that is not printable
 * ASCII. For texts of servers, clients and libraries, before a user sees them.
 */
inline std::string printable(std::string_view text, std::size_t most = 200) {
  std::string shown(text.substr(0, most));
  for (char& c : shown)
    if (c < ' ' || c > '~') c = ' ';
  return shown;
}

/** `value` with that number of decimals, as "12.3". */
inline std::string formatNumber(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

/** The size in powers of a thousand, as "3.7 MB". */
inline std::string formatBytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  return formatNumber(value, 1) + ' ' + kUnits[unit];
}

}  // namespace elf
