// SPDX-License-Identifier: LGPL-2.1-or-later
// The pixels of a picture that belong to an object.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "elf/geometry/box.h"

namespace elf {

/** The maximum number of pixels in all masks of one picture: a byte each. */
inline constexpr double kMaxMaskPixels = 1 << 26;

/** Immutable. Copies share the pixels. Pixels outside its rectangle are not the object's. */
class Mask {
 public:
  /** An empty mask. */
  Mask() = default;
  /**
   * `pixels` are those of `rect`, row by row without gaps, 0 for those that are not the object's.
   * Throws std::invalid_argument if there are more or fewer.
   */
  Mask(Rect rect, std::vector<std::uint8_t> pixels);

  const Rect& rect() const { return rect_; }
  /** 1 for a pixel of the object, else 0. `y` is a row of the picture, rect().y <= y <
   * rect().bottom(). The result begins at rect().x. */
  std::span<const std::uint8_t> row(int y) const {
    const auto width = static_cast<std::size_t>(rect_.width);
    return std::span(*pixels_).subspan(static_cast<std::size_t>(y - rect_.y) * width, width);
  }
  /** The number of the object's pixels. */
  double area() const;
  /** The same rectangle and the same pixels. */
  bool operator==(const Mask& other) const;

  Mask shifted(int dx, int dy) const;
  /** The part inside `rect`, as a mask over the whole of `rect`. */
  Mask over(const Rect& rect) const;
  /** A mask over `to`: its pixel at (x, y) is this one's at (x / sx, y / sy). */
  Mask resampled(double sx, double sy, const Rect& to) const;

 private:
  Rect rect_;
  std::shared_ptr<const std::vector<std::uint8_t>> pixels_;
};

/** A mask over `rect` with the pixels of either. */
Mask unite(const Mask& a, const Mask& b, const Rect& rect);

/** Intersection over union of their pixels, 0..1. */
double iou(const Mask& a, const Mask& b);

/**
 * The run lengths of its rectangle, row by row as if it were one line: pixels that are not the
 * object's, pixels that are, and so on. Only the first may be 0.
 */
std::vector<std::uint32_t> runLengths(const Mask& mask);
/** The inverse of runLengths(). Unset if the runs are not those of `rect.area()` pixels. */
std::optional<Mask> fromRunLengths(std::span<const std::uint32_t> runs, const Rect& rect);
/** The same as sent: each a LEB128 number of as few bytes as possible. */
std::vector<std::uint8_t> toRuns(const Mask& mask);
/** The inverse of toRuns(). Unset as above, or if the numbers are malformed. */
std::optional<Mask> fromRuns(std::span<const std::uint8_t> runs, const Rect& rect);

}  // namespace elf
