// SPDX-License-Identifier: LGPL-2.1-or-later
// RP indexing: matches the boxes of two frames.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "elf/base/choice.h"
#include "elf/geometry/box.h"

namespace elf {

/** A box, in pixels of the frame, and the number of its class. */
struct LabelledBox {
  Box box;
  std::int64_t labelId = 0;
};

/**
 * A rule of indexing. Implementations keep no state and may be used from several threads at once.
 * An empty box, or one that holds a NaN, matches none.
 *
 * `assignment`: one-to-one, and of all such matches the one with the largest sum of similarities.
 * The similarity of a pair is its buffered intersection over union: that of the two boxes after
 * each has grown by half of its width to the left and right and half of its height up and down.
 * Small fast objects thus have one even if their boxes do not touch (Yang et al., "Hard to Track
 * Objects with Irregular Motions and Similar Appearances? Make It Easier by Buffering the Matching
 * Space", WACV 2023). Pairs below kMinSimilarity are never matched. Pairs of different classes are
 * only matched above kSameObject: a detector that wavers between car and truck still sees one
 * object. They count half, so that a partner of the same class comes first. Which of several
 * equally good matches is returned is open. Takes the time of one comparison for each pair of boxes
 * of the same columns of the frame, and of the Hungarian algorithm for each group of boxes in reach
 * of one another. A group of more than kMostInGroup old or new boxes only results from noise. Its
 * most similar pairs are matched first instead.
 *
 * `elf-release`: the rule of the released code of Elf (its index_rps). A box matches the old box
 * with the least sum of the distances of the centres in x and in y and the difference of the square
 * roots of the areas, all in coordinates divided by the frame's width and height; the first of
 * several. Above 0.02 it is new. Classes are ignored. Two boxes may match the same old box.
 *
 * `elf-paper`: Algorithm 1 of the paper (Zhang et al., MobiCom 2021, section 4.2). Of the old
 * boxes whose centre is less than 0.02 of the frame's width away in x and of its height in y, the
 * one whose area is nearest: the least |1 - old/new|, which must be below 0.2. Classes are ignored.
 * Two boxes may match the same old box.
 */
class RpIndexer {
 public:
  /** Returned by match() for a box that matches no old one. */
  static constexpr int kNew = -1;
  /** For `assignment`: least similarity of a pair of one class. */
  static constexpr double kMinSimilarity = 0.1;
  /** For `assignment`: most old, and most new, boxes of a group that is matched optimally. */
  static constexpr int kMostInGroup = 100;
  /** For `assignment`: least similarity of a pair of different classes. */
  static constexpr double kSameObject = 0.8;

  virtual ~RpIndexer() = default;

  /**
   * For each box of `now` the position in `before` of the same object, or kNew. `frame` is the size
   * of both frames. If it is empty, `elf-release` and `elf-paper` match nothing.
   */
  virtual std::vector<int> match(std::span<const LabelledBox> before,
                                 std::span<const LabelledBox> now, Size frame) const = 0;

  /** Throws elf::Error naming `indexing` for a name not in indexerChoices(). */
  static std::unique_ptr<RpIndexer> create(std::string_view name);
};

/**
 * That of `assignment`: 0 for boxes out of each other's reach, 1 for equal ones. Symmetric.
 */
double similarity(const Box& a, const Box& b);

/** The rules; the first is the default. */
std::span<const Choice> indexerChoices();

}  // namespace elf
