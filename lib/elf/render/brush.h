// SPDX-License-Identifier: LGPL-2.1-or-later
// Draws into a picture in its own format. Nothing is converted, and only pixels that change are
// touched. Not installed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "elf/image/image_view.h"
#include "elf/render/colour.h"

namespace elf {

/** How much of each pixel of a rectangle is covered. */
struct Coverage {
  /** In the picture. Parts outside it are not drawn. */
  Rect rect;
  /** The pixels of `rect`, row by row without gaps. */
  std::span<const std::uint8_t> pixels;
  /** This times `weight` is a pixel's opacity: 0 not at all, 255 fully. Never above 255. */
  int weight = 1;
};

/**
 * Draws into a picture, in one of three ways. The resulting luma is the same within 2 in every
 * format, since all blend with the same coverage in the same place, in gamma-coded values. An x or
 * A byte becomes opaque like the colours. For one thread.
 */
class Brush {
 public:
  /** `picture` must outlive it. */
  explicit Brush(const MutableImageView& picture);

  Size size() const { return picture_.size; }

  /**
   * Draws an opaque rectangle, which may reach out of the picture. A chroma sample is coloured if
   * any of its pixels is, so that lines of one pixel have their full colour.
   */
  void fill(const Rect& rect, const Colour& colour);

  /** Blends a chroma sample by the mean over its pixels that are in the picture. */
  void blend(const Coverage& coverage, const Colour& colour);

  /**
   * Draws an opaque line with round ends and smooth edges, `width` (> 0) pixels wide. Equal ends
   * give a disc. Coordinates are finite, and at most a million pixels away.
   */
  void line(double x0, double y0, double x1, double y1, double width, const Colour& colour);

 private:
  struct Plane {
    std::uint8_t* pixels = nullptr;
    int stride = 0;
    /** Bytes from one sample to the next. */
    int step = 0;
    /** Half as wide and high as the picture. */
    bool halved = false;
  };
  /** The values of a colour in each plane. */
  using Values = std::array<std::array<std::uint8_t, 4>, 3>;

  void add(int step, bool halved);
  Values valuesOf(const Colour& colour) const;

  const MutableImageView& picture_;
  std::array<Plane, 3> planes_;
  std::size_t count_ = 0;
  /** Kept only to save allocations. */
  std::vector<std::uint8_t> line_, alpha_;
  std::vector<int> sums_;
};

}  // namespace elf
