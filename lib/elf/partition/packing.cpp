// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/packing.h"

#include <algorithm>
#include <cstddef>

#define STBRP_STATIC
#define STB_RECT_PACK_IMPLEMENTATION
#include <stb/stb_rect_pack.h>

namespace elf {

std::optional<std::vector<PackedPlace>> packed(std::span<const Size> sizes, Size page, int pages,
                                               int gap) {
  std::vector<stbrp_rect> left;
  left.reserve(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i)
    left.push_back({.id = static_cast<int>(i),
                    .w = sizes[i].width + gap,
                    .h = sizes[i].height + gap,
                    .x = 0,
                    .y = 0,
                    .was_packed = 0});
  // The gaps of the last column and row lie outside.
  const Size room{page.width + gap, page.height + gap};
  std::vector<stbrp_node> nodes(static_cast<std::size_t>(room.width));
  std::vector<PackedPlace> places(sizes.size());
  for (int number = 0; number < pages && !left.empty(); ++number) {
    stbrp_context packer;
    stbrp_init_target(&packer, room.width, room.height, nodes.data(),
                      static_cast<int>(nodes.size()));
    stbrp_pack_rects(&packer, left.data(), static_cast<int>(left.size()));
    for (const stbrp_rect& rect : left)
      if (rect.was_packed) places[static_cast<std::size_t>(rect.id)] = {number, rect.x, rect.y};
    std::erase_if(left, [](const stbrp_rect& rect) { return rect.was_packed != 0; });
  }
  if (!left.empty()) return std::nullopt;
  return places;
}

}  // namespace elf
