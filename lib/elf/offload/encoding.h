// SPDX-License-Identifier: LGPL-2.1-or-later
// How the pixels of a part go over the wire.
#pragma once

#include <span>

#include "elf/base/choice.h"
#include "elf/types/capacity.h"

namespace elf {

enum class Encoding {
  Auto,  ///< what the server takes; of both raw where it is hardly slower, else JPEG
  Jpeg,
  Raw  ///< RGB as it is: exact, and three bytes for each pixel
};

/** In the order of Encoding. */
std::span<const Choice> encodingChoices();

/** Bytes that a raw pixel has more than one of a JPEG. */
inline constexpr double kMoreBytes = 2.75;
/** Seconds that it saves: making and reading a JPEG takes 6 ns for a pixel, cutting it out 2 ns. */
inline constexpr double kSavedSeconds = 4e-9;
/** By how much slower, as a share of the server's own time, pixels may be because they are exact.
 */
inline constexpr double kExactIsWorth = 0.2;
/** Seconds for a byte (50 MB/s) of a link that is spared twelve times the bytes. */
inline constexpr double kSparedLink = 2e-8;

/** Whether a part for `server` is sent raw. What the server takes only matters to Auto, and where
 * bytes are few (`sparing`) it sends JPEGs to all that take them. */
inline bool sendsRaw(Encoding encoding, const ServerState& server, bool sparing = false) {
  if (encoding != Encoding::Auto) return encoding == Encoding::Raw;
  if (sparing && server.takesEncoded) return false;
  if (!server.takesRaw || !server.takesEncoded) return server.takesRaw;
  const double slower = kMoreBytes * server.cost.c - kSavedSeconds;
  return slower <= kExactIsWorth * server.cost.b && server.cost.c < kSparedLink;
}

}  // namespace elf
