// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/checksum.h"

#include <fstream>
#include <vector>

#include "elf/base/error.h"
#include "elf/base/glib.h"

namespace elf {

std::string sha256Of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const Ref<GChecksum> checksum(g_checksum_new(G_CHECKSUM_SHA256));
  std::vector<char> block(1 << 16);
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0)
    g_checksum_update(checksum.get(), reinterpret_cast<const guchar*>(block.data()), in.gcount());
  if (!in.is_open() || in.bad()) throw Error(path, "cannot be read");
  return g_checksum_get_string(checksum.get());
}

}  // namespace elf
