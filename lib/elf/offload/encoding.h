// SPDX-License-Identifier: LGPL-2.1-or-later
// How the pixels of a part go over the wire.
#pragma once

#include <span>

#include "elf/base/choice.h"
#include "elf/capacity/capacity.h"

namespace elf {

enum class Encoding {
  Auto,  ///< raw over a fast link to a server that takes it, else JPEG
  Jpeg,
  Raw  ///< RGB as it is: exact, and three bytes for each pixel
};

/** In the order of Encoding. */
std::span<const Choice> encodingChoices();

/**
 * The most seconds for a byte (330 MB/s) of a link that raw pixels are sent over. Making and
 * reading a JPEG of a quarter of a byte for each pixel takes 6 ns a pixel on one core, cutting out
 * its 3 bytes 2 ns (docs/elfoffload.md): at half of this the two are there at the same time, and
 * from there on a few more nanoseconds buy pixels that are exact.
 */
inline constexpr double kFastLink = 3e-9;

/** Whether a part for `server` is sent raw. */
inline bool sendsRaw(Encoding encoding, const ServerState& server) {
  if (encoding == Encoding::Auto) return server.takesRaw && server.cost.c <= kFastLink;
  return encoding == Encoding::Raw;
}

}  // namespace elf
