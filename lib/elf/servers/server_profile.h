// SPDX-License-Identifier: LGPL-2.1-or-later
// What a server takes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/servers/part_image.h"
#include "elf/types/model_rules.h"

namespace elf {

/** What an endpoint has stated about its model, or its answers have shown. */
struct ServerProfile {
  std::optional<ModelRules> rules;
  /** Whether it takes raw pixels, and JPEG. */
  bool takesRaw = false, takesEncoded = true;
  /** A JPEG is BYTES [1,1] instead of [1]: Triton's models with a batch dimension. Raw pixels
   * always have one. */
  bool batched = false;
  /** Whether it takes tensors behind the JSON, otherwise inside it. */
  bool takesBinary = true;
  /** The third-party network that it runs, which takes no pictures; null if the server takes
   * pictures. */
  RemoteNetworkPtr network;
  /** The outputs to ask for, as it has others besides. Empty: all. */
  std::vector<std::string> outputs;
  /** It runs a network that was not tried yet, and takes nothing. */
  bool untried = false;

  /** In any encoding. */
  bool takesKind(const PartImage& image) const;
  /** In this encoding. A server that takes pictures may be sent either kind of them. */
  bool takesForm(const PartImage& image) const;
  bool takes(const PartImage& image) const { return takesKind(image) && takesForm(image); }
  std::size_t bytes(const PartImage& image) const { return image.bytes(takesBinary); }
};

}  // namespace elf
