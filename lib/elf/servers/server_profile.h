// SPDX-License-Identifier: LGPL-2.1-or-later
// What a server takes.
#pragma once

#include <optional>

#include "elf/servers/part_image.h"
#include "elf/types/model_rules.h"

namespace elf {

/** What an endpoint has told about its model, or its answers have shown. */
struct ServerProfile {
  std::optional<ModelRules> rules;
  /** Whether it takes pictures as pixels, and as JPEG. */
  bool takesRaw = false, takesEncoded = true;
  /** Whether it takes tensors behind the JSON, else inside it. */
  bool takesBinary = true;
  /** The network that it runs, if that is another one's, which takes no pictures; null where it
   * takes them. */
  RemoteNetworkPtr network;
  /** It runs a network that is yet to be tried: it takes nothing. */
  bool untried = false;

  /** Whatever it is encoded as. */
  bool takesKind(const PartImage& image) const;
  /** As it is encoded. Who takes pictures may be sent either kind of them. */
  bool takesForm(const PartImage& image) const;
  bool takes(const PartImage& image) const { return takesKind(image) && takesForm(image); }
  std::size_t bytes(const PartImage& image) const { return image.bytes(takesBinary); }
};

}  // namespace elf
