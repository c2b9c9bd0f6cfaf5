// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds the files that a `.model` file names. Not installed.
#pragma once

#include <string>

namespace elf {

/**
 * Full name of a file that a `.model` file at `modelPath` names. `subject` and `remedy` are for the
 * error.
 */
std::string findBeside(const std::string& modelPath, const std::string& file,
                       const std::string& subject, const std::string& remedy = {});

}  // namespace elf
