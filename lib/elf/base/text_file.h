// SPDX-License-Identifier: LGPL-2.1-or-later
// Text files that people and other programs save, read as an editor shows them.
#pragma once

#include <string>
#include <string_view>

#include "elf/base/glib.h"

namespace elf {

/**
 * `text` without the blanks around it. A blank is what an editor shows as nothing: white space of
 * any script, a byte order mark, a character of no width.
 */
std::string_view trimmed(std::string_view text);

/** Whether the content of a text file is UTF-16, with or without a byte order mark. */
bool isUtf16(std::string_view content);

/**
 * The lines of a text file, without blanks around them. Each ends in '\n', however the file ends
 * its lines, and has the number that an editor shows. Every other byte stays. Throws elf::Error
 * that names `path` if the content is UTF-16.
 */
std::string plainText(const std::string& path, std::string_view content);

/** plainText() of a file. Throws elf::Error that names it also if it can't be read. */
std::string readText(const std::string& path);

/** The same, also an error if it is not UTF-8: for what users see in errors and in pictures. */
std::string readUtf8(const std::string& path);

/**
 * A key file with that content: plainText(), also without blanks around groups, keys and values.
 * Throws elf::Error that names `path` if it is not UTF-8 or not a key file.
 */
Ref<GKeyFile> parseKeyFile(const std::string& path, std::string_view content);

}  // namespace elf
