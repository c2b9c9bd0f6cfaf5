// SPDX-License-Identifier: LGPL-2.1-or-later
// Bytes that are made once and sent several times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace elf {

/** Bytes that never change. Owners in any thread may share them. Never null. */
using Block = std::shared_ptr<const std::vector<std::uint8_t>>;
/** Blocks that are sent one after the other. */
using Blocks = std::vector<Block>;

inline Block toBlock(std::vector<std::uint8_t> bytes) {
  return std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
}
inline Block toBlock(std::string_view text) {
  return std::make_shared<const std::vector<std::uint8_t>>(text.begin(), text.end());
}

inline std::size_t sizeOf(const Blocks& blocks) {
  std::size_t size = 0;
  for (const Block& block : blocks) size += block->size();
  return size;
}

/** A copy of all their bytes. */
inline std::vector<std::uint8_t> joined(const Blocks& blocks) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(sizeOf(blocks));
  for (const Block& block : blocks) bytes.insert(bytes.end(), block->begin(), block->end());
  return bytes;
}

}  // namespace elf
