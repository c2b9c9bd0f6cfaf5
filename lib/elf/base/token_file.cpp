// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/token_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "elf/base/error.h"

namespace elf {

std::string readToken(const std::string& subject, const std::string& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  // Leaves room for white space around it, but does not read an endless device.
  std::string text(2 * kLongestToken, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad())
    throw Error(subject, "cannot read '" + file + "': " + std::strerror(errno ? errno : EIO));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  constexpr const char* kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) throw Error(subject, "'" + file + "' is empty");
  std::string token = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  if (token.size() > kLongestToken ||
      !std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; }))
    throw Error(subject, "'" + file + "' holds no token, which is one word of ASCII characters");
  return token;
}

}  // namespace elf
