// SPDX-License-Identifier: LGPL-2.1-or-later
// The files of a folder, in the order that people expect.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace elf {

/**
 * Whether the name `a` comes before the name `b` if numbers in names count as numbers: `2.jpg`
 * before `10.jpg`. All else goes by bytes, in every locale. Names that differ in leading zeros
 * alone go by bytes, too, so no two names are equal.
 */
bool comesBefore(std::string_view a, std::string_view b);

/**
 * The files and folders in `folder` that are not hidden, in the order of comesBefore(). Throws
 * elf::Error that names the folder if it can't be read.
 */
std::vector<std::filesystem::path> entriesOf(const std::filesystem::path& folder);

}  // namespace elf
