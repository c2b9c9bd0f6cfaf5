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
 * `text` on one line: at most `most` bytes of it, and a blank for each byte that is no printable
 * ASCII. For whatever a server, a client or a library says before it is shown to a user.
 */
inline std::string printable(std::string_view text, std::size_t most = 200) {
  std::string shown(text.substr(0, most));
  for (char& c : shown)
    if (c < ' ' || c > '~') c = ' ';
  return shown;
}

/** "12.3": `value` with so many decimals. */
inline std::string formatNumber(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

/** "3.7 MB": so many bytes, in powers of a thousand. */
inline std::string formatBytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  return formatNumber(value, 1) + ' ' + kUnits[unit];
}

}  // namespace elf
