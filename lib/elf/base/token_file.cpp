// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/token_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "elf/base/error.h"
#include "elf/base/text_file.h"

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
  if (isUtf16(text)) throw Error(subject, "'" + file + "' is UTF-16 (save it as UTF-8)");
  const std::string token(trimmed(text));
  if (token.empty()) throw Error(subject, "'" + file + "' is empty");
  if (token.size() > kLongestToken ||
      !std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; }))
    throw Error(subject, "'" + file + "' holds no token, which is one word of ASCII characters");
  return token;
}

}  // namespace elf
