// SPDX-License-Identifier: LGPL-2.1-or-later
// Packs rectangles into pages. Not installed.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "elf/geometry/box.h"

namespace elf {

/** A rectangle's page, and its upper left corner there. */
struct PackedPlace {
  int page = 0;
  int x = 0, y = 0;
};

/**
 * Places rectangles on at most `pages` pages, at least `gap` pixels apart, without turning them:
 * page after page, each with the skyline packer of stb_rect_pack. The places are in the order of
 * `sizes`. Unset if the packer finds no room for all of them. Deterministic.
 */
std::optional<std::vector<PackedPlace>> packed(std::span<const Size> sizes, Size page, int pages,
                                               int gap);

}  // namespace elf
