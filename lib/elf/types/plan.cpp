// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/types/plan.h"

namespace elf {

std::string_view toString(PartKind kind) {
  switch (kind) {
    case PartKind::Rp:
      return "rp";
    case PartKind::Lrc:
      return "lrc";
    case PartKind::Scan:
      return "scan";
    case PartKind::Grid:
      return "grid";
    case PartKind::Full:
      return "full";
  }
  return "";
}

}  // namespace elf
