// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/server_profile.h"

#include "elf/servers/remote_network.h"

namespace elf {

bool ServerProfile::takesKind(const PartImage& image) const {
  if (untried) return false;
  if (network || image.network())
    return network && image.network() && network->takesSame(*image.network());
  return image.isRaw() ? takesRaw : takesEncoded;
}

bool ServerProfile::takesForm(const PartImage& image) const {
  if (!takesBinary && !image.hasJson()) return false;
  const bool isPicture = !untried && !network && (takesRaw || takesEncoded);
  return (isPicture && !image.network()) || takesKind(image);
}

}  // namespace elf
