// SPDX-License-Identifier: LGPL-2.1-or-later
// RP indexing: which new box is which old box.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "elf/base/choice.h"
#include "elf/geometry/box.h"

namespace elf {

/** A box of a class. */
struct LabelledBox {
  Box box;
  std::int64_t labelId = 0;
};

/** A rule of indexing. Implementations keep no state and may be used from several threads. */
class RpIndexer {
 public:
  /** What match() says of a box that is none of the old ones. */
  static constexpr int kNew = -1;

  virtual ~RpIndexer() = default;

  /** For each box of `now` the position in `before` of the same object, or kNew. */
  virtual std::vector<int> match(std::span<const LabelledBox> before,
                                 std::span<const LabelledBox> now, Size frame) const = 0;

  /** Throws elf::Error naming `indexing` for a name not in indexerChoices(). */
  static std::unique_ptr<RpIndexer> create(std::string_view name);
};

/** The rules there are; the first is the default. */
std::span<const Choice> indexerChoices();

}  // namespace elf
