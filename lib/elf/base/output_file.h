// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that programs write; "-" is standard output.
#pragma once

#include <string>

namespace elf {

/**
 * Throws elf::Error that names `path` and the reason if the file can't be written. Called before
 * the work whose result the file is to hold. Opens and creates no file. An empty path means no
 * file.
 */
void requireWritable(const std::string& path);

/** Writes a whole file and replaces its content. Throws as requireWritable(). */
void writeFile(const std::string& path, const std::string& content);

}  // namespace elf
