// SPDX-License-Identifier: LGPL-2.1-or-later
// Replaces pango_script.cpp if there is no Pango or the build does not want it.
#include "elf/render/script.h"

namespace elf {

std::unique_ptr<Script> createScript(int, int) {
  return nullptr;
}

}  // namespace elf
