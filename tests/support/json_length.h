// SPDX-License-Identifier: LGPL-2.1-or-later
// What a request to a server says of its body.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "elf/client/transport.h"

namespace elf::testing {

/** Unset where the whole body is JSON. */
inline std::optional<std::size_t> jsonLengthOf(const HttpRequest& request) {
  for (const auto& [name, value] : request.headers)
    if (name == "Inference-Header-Content-Length") return std::stoull(value);
  return std::nullopt;
}

}  // namespace elf::testing
