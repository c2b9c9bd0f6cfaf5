// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps passwords out of what people read. Not installed.
#pragma once

#include <string>
#include <string_view>

namespace elf {

/**
 * `text` with *** in place of the user name and password of each URL, also of one that should have
 * been percent-encoded, and of the values of parameters such as `password=` in it. In doubt more is
 * hidden.
 */
std::string withoutPasswords(std::string_view text);

}  // namespace elf
