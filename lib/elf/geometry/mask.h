// SPDX-License-Identifier: LGPL-2.1-or-later
// Which pixels of a picture belong to an object.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "elf/geometry/box.h"

namespace elf {

/** Most pixels of all masks of one picture: a byte each. */
inline constexpr double kMaxMaskPixels = 1 << 26;

/** Immutable; copies share the pixels. What is not inside its rectangle is not of the object. */
class Mask {
 public:
  /** Of nothing. */
  Mask() = default;
  /**
   * `pixels` are those of `rect`, row by row without gaps, 0 where they are not of the object.
   * Throws std::invalid_argument where there are more or fewer.
   */
  Mask(Rect rect, std::vector<std::uint8_t> pixels);

  const Rect& rect() const { return rect_; }
  /** 1 where a pixel is of the object, else 0. `y` counts in the picture, rect().y <= y <
   * rect().bottom(); begins at rect().x. */
  std::span<const std::uint8_t> row(int y) const {
    const auto width = static_cast<std::size_t>(rect_.width);
    return std::span(*pixels_).subspan(static_cast<std::size_t>(y - rect_.y) * width, width);
  }
  /** How many pixels are of the object. */
  double area() const;
  /** The same rectangle and the same pixels. */
  bool operator==(const Mask& other) const;

  Mask shifted(int dx, int dy) const;
  /** What of it is inside `rect`, as a mask over the whole of `rect`. */
  Mask over(const Rect& rect) const;
  /** The mask of `to`, where a pixel at (x, y) is what this one has at (x / sx, y / sy). */
  Mask resampled(double sx, double sy, const Rect& to) const;

 private:
  Rect rect_;
  std::shared_ptr<const std::vector<std::uint8_t>> pixels_;
};

/** Over `rect`: the pixels that are of either. */
Mask unite(const Mask& a, const Mask& b, const Rect& rect);

/** Intersection over union of their pixels, 0..1. */
double iou(const Mask& a, const Mask& b);

/**
 * The pixels of its rectangle, row by row as if they were one line: so many that are not of the
 * object, so many that are, and so on. The first may be 0, and none of the others is.
 */
std::vector<std::uint32_t> runLengths(const Mask& mask);
/** The same as they are sent: each a LEB128 number of as few bytes as it takes. */
std::vector<std::uint8_t> toRuns(const Mask& mask);
/** The same backwards; unset where the runs are not those of `rect.area()` pixels. */
std::optional<Mask> fromRuns(std::span<const std::uint8_t> runs, const Rect& rect);

}  // namespace elf
