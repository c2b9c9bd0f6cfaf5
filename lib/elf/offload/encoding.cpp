// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/encoding.h"

namespace elf {

std::span<const Choice> encodingChoices() {
  static constexpr Choice kChoices[] = {
      {"auto",
       "What the server takes; of both raw where that is hardly slower, as on this machine, else "
       "JPEG"},
      {"jpeg", "JPEG"},
      {"raw", "RGB pixels as they are: exact, and three bytes each"},
  };
  return kChoices;
}

}  // namespace elf
