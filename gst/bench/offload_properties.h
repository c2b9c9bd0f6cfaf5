// SPDX-License-Identifier: LGPL-2.1-or-later
// Properties of elfoffload that elf-bench passes on.
#pragma once

#include <string>
#include <vector>

namespace elf::bench {

struct OffloadProperty {
  std::string name;
  std::string value;
};

/**
 * Reads `NAME=VALUE NAME=VALUE ...`. As in a launch line, a value with blanks needs quotes. Throws
 * elf::Error for a property that elfoffload does not have, a value that it does not accept, a
 * repeated property and a property that elf-bench sets itself. Call it after gst_init().
 */
std::vector<OffloadProperty> parseOffloadProperties(const std::string& text);

}  // namespace elf::bench
