// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether a file is the one that is meant.
#pragma once

#include <string>

namespace elf {

/**
 * The SHA-256 of what is in a file, in lower-case hexadecimal. Throws elf::Error naming the file
 * where it can't be read.
 */
std::string sha256Of(const std::string& path);

}  // namespace elf
