// SPDX-License-Identifier: LGPL-2.1-or-later
// How large JPEG files are, before they are made.
#pragma once

namespace elf {

/** Bytes of a JPEG in colour that are the same whatever it shows: its tables. Grey ones have 293
 * fewer. */
inline constexpr double kJpegTables = 623;

/**
 * How many bytes a JPEG of `quality` (1..100) has for its pixels, as a share of what it has at
 * quality 90. The same for natural pictures within 15 % from 30 to 100; flat ones shrink less below
 * 90.
 */
double jpegShareAt(int quality);

}  // namespace elf
