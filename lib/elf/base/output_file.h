// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that programs write; "-" is standard output.
#pragma once

#include <string>

namespace elf {

/**
 * Throws elf::Error that names `path` and the reason where it can't be written: called before the
 * work whose end the file is to tell. Opens and makes no file. An empty path is none.
 */
void requireWritable(const std::string& path);

/** Writes a whole file, in the place of what was there. Throws as requireWritable(). */
void writeFile(const std::string& path, const std::string& content);

}  // namespace elf
