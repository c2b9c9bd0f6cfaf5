// SPDX-License-Identifier: LGPL-2.1-or-later
// How the pixels of a part are sent.
#pragma once

#include <span>

#include "elf/base/choice.h"
#include "elf/types/capacity.h"

namespace elf {

enum class Encoding {
  Auto,  ///< what the server takes; if both, raw where it is hardly slower, else JPEG
  Jpeg,
  Raw  ///< RGB as it is: exact, and three bytes for each pixel
};

/** In the order of Encoding. */
std::span<const Choice> encodingChoices();

/** Bytes of a raw pixel beyond those of a JPEG's. */
inline constexpr double kMoreBytes = 2.75;
/** Seconds that a raw pixel saves: a JPEG takes 6 ns for a pixel, cutting it out 2 ns. */
inline constexpr double kSavedSeconds = 4e-9;
/** How much slower raw pixels may be, as a share of the server's own time, for being exact. */
inline constexpr double kExactIsWorth = 0.2;
/** Seconds for a byte (50 MB/s) of a link that must not carry twelve times the bytes. */
inline constexpr double kSparedLink = 2e-8;

/** Whether a part of `rawBytes` for `server` is sent raw. Only Auto depends on what the server
 * takes. With `sparing`, it sends JPEGs to all servers that take them. */
inline bool sendsRaw(Encoding encoding, const ServerState& server, bool sparing = false,
                     double rawBytes = 0) {
  if (encoding != Encoding::Auto) return encoding == Encoding::Raw;
  if (server.takesEncoded && (sparing || rawBytes > server.mostBytes)) return false;
  if (!server.takesRaw || !server.takesEncoded) return server.takesRaw;
  const double slower = kMoreBytes * server.cost.c - kSavedSeconds;
  return slower <= kExactIsWorth * server.cost.b && server.cost.c < kSparedLink;
}

}  // namespace elf
