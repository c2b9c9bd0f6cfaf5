// SPDX-License-Identifier: LGPL-2.1-or-later
// The file with the bearer token that a client sends and a server requires.
#pragma once

#include <cstddef>
#include <string>

namespace elf {

/**
 * The token in `file`, without white space around it: 1 to kLongestToken printable ASCII characters
 * without a blank. Throws elf::Error that begins with `subject` and names the file, but never shows
 * its content.
 */
inline constexpr std::size_t kLongestToken = 4096;
std::string readToken(const std::string& subject, const std::string& file);

}  // namespace elf
