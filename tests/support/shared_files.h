// SPDX-License-Identifier: LGPL-2.1-or-later
// The folder of real data, which need not be there (tests/README.md).
#pragma once

#include <cstdlib>
#include <string>

namespace elf::testing {

/** Full name of a file in it. */
inline std::string sharedFile(const std::string& name) {
  return std::string(std::getenv("ELF_TEST_SHARED")) + "/data/" + name;
}

}  // namespace elf::testing
