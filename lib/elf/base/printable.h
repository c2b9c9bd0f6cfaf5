// SPDX-License-Identifier: LGPL-2.1-or-later
// Text that came from somewhere else, made fit for a message.
#pragma once

#include <cstddef>
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

}  // namespace elf
