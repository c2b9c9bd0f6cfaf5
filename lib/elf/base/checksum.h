// SPDX-License-Identifier: LGPL-2.1-or-later
// Checksums of files.
#pragma once

#include <string>

namespace elf {

/**
 * The SHA-256 of a file's content, in lower-case hexadecimal. Throws elf::Error naming the file if
 * it can't be read.
 */
std::string sha256Of(const std::string& path);

}  // namespace elf
