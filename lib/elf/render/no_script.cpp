// SPDX-License-Identifier: LGPL-2.1-or-later
// In the place of pango_script.cpp where there is no Pango, or nobody wants it.
#include "elf/render/script.h"

namespace elf {

std::unique_ptr<Script> createScript(int, int) {
  return nullptr;
}

}  // namespace elf
