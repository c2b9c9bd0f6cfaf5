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
 * Reads `NAME=VALUE NAME=VALUE ...`, as a launch line has it: a value with blanks stands in quotes.
 * Throws elf::Error naming what elfoffload does not have or take, what stands there twice, and what
 * elf-bench itself sets. After gst_init().
 */
std::vector<OffloadProperty> parseOffloadProperties(const std::string& text);

}  // namespace elf::bench
