// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/plan.h"

#include <algorithm>
#include <cmath>

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

Size Part::sentSize() const {
  const auto scaled = [this](int side) {
    return std::max(1, static_cast<int>(std::lround(side * scale)));
  };
  return {scaled(rect.width), scaled(rect.height)};
}

}  // namespace elf
