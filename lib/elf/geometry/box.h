// SPDX-License-Identifier: LGPL-2.1-or-later
// Boxes, rectangles and sizes. All coordinates are pixels, x to the right and y down.
#pragma once

#include <algorithm>
#include <cmath>

namespace elf {

/** The smallest multiple of `multiple` (> 0) that is not below `value` (>= 0). */
inline int roundUp(int value, int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/** A size in whole pixels. */
struct Size {
  int width = 0;
  int height = 0;

  bool operator==(const Size&) const = default;
  bool empty() const { return width <= 0 || height <= 0; }
  double area() const { return empty() ? 0.0 : static_cast<double>(width) * height; }
  /** Both sides times `by`, rounded, at least 1x1. */
  Size scaled(double by) const {
    const auto side = [by](int length) { return std::max(1, static_cast<int>(length * by + 0.5)); };
    return {side(width), side(height)};
  }
  /** The size in square pixels of a picture whose pixels are `aspect` times as wide as high: one
   * side grows, so that no detail is lost. */
  Size withSquarePixels(double aspect) const {
    if (aspect > 1) return {static_cast<int>(width * aspect + 0.5), height};
    return {width, static_cast<int>(height / aspect + 0.5)};
  }
};

/** A box with fractional corners, half open: x0 <= x < x1, y0 <= y < y1. */
struct Box {
  float x0 = 0;
  float y0 = 0;
  float x1 = 0;
  float y1 = 0;

  bool operator==(const Box&) const = default;
  float width() const { return x1 - x0; }
  float height() const { return y1 - y0; }
  float centreX() const { return (x0 + x1) / 2; }
  float centreY() const { return (y0 + y1) / 2; }
  /** True also for a box with a NaN. */
  bool empty() const { return !(x1 > x0 && y1 > y0); }
  double area() const { return empty() ? 0.0 : static_cast<double>(width()) * height(); }
  bool finite() const {
    return std::isfinite(x0) && std::isfinite(y0) && std::isfinite(x1) && std::isfinite(y1);
  }
};

/** A rectangle of whole pixels. */
struct Rect {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;

  bool operator==(const Rect&) const = default;
  int right() const { return x + width; }
  int bottom() const { return y + height; }
  bool empty() const { return width <= 0 || height <= 0; }
  Size size() const { return {width, height}; }
  double area() const { return size().area(); }
};

/** The place of a picture, pixel for pixel, in the frame that it was cut from. */
struct Placement {
  int x = 0;
  int y = 0;
  Size frame;

  bool operator==(const Placement&) const = default;
};

/** A distance for each side of a box, in pixels, outwards. */
struct Sides {
  float left = 0;
  float top = 0;
  float right = 0;
  float bottom = 0;
};

inline Box toBox(const Rect& r) {
  return {static_cast<float>(r.x), static_cast<float>(r.y), static_cast<float>(r.right()),
          static_cast<float>(r.bottom())};
}

inline Rect wholeFrame(Size frame) {
  return {0, 0, frame.width, frame.height};
}

/** The overlap of two boxes. empty() if they do not overlap. */
inline Box intersect(const Box& a, const Box& b) {
  return {std::max(a.x0, b.x0), std::max(a.y0, b.y0), std::min(a.x1, b.x1), std::min(a.y1, b.y1)};
}

/** The overlap of two rectangles. empty() if they do not overlap. */
inline Rect intersect(const Rect& a, const Rect& b) {
  const int x = std::max(a.x, b.x);
  const int y = std::max(a.y, b.y);
  return {x, y, std::min(a.right(), b.right()) - x, std::min(a.bottom(), b.bottom()) - y};
}

/** The smallest box around both. */
inline Box unite(const Box& a, const Box& b) {
  return {std::min(a.x0, b.x0), std::min(a.y0, b.y0), std::max(a.x1, b.x1), std::max(a.y1, b.y1)};
}

/** The smallest rectangle around both. */
inline Rect unite(const Rect& a, const Rect& b) {
  const int x = std::min(a.x, b.x);
  const int y = std::min(a.y, b.y);
  return {x, y, std::max(a.right(), b.right()) - x, std::max(a.bottom(), b.bottom()) - y};
}

/** Intersection over union, 0..1. */
inline double iou(const Box& a, const Box& b) {
  const double common = intersect(a, b).area();
  const double all = a.area() + b.area() - common;
  return all > 0 ? common / all : 0.0;
}

inline Box clip(const Box& b, Size frame) {
  const auto w = static_cast<float>(frame.width);
  const auto h = static_cast<float>(frame.height);
  return {std::clamp(b.x0, 0.0F, w), std::clamp(b.y0, 0.0F, h), std::clamp(b.x1, 0.0F, w),
          std::clamp(b.y1, 0.0F, h)};
}

inline Box shift(const Box& b, float dx, float dy) {
  return {b.x0 + dx, b.y0 + dy, b.x1 + dx, b.y1 + dy};
}

inline Box scaled(const Box& b, float x, float y) {
  return {b.x0 * x, b.y0 * y, b.x1 * x, b.y1 * y};
}

inline Box grow(const Box& b, const Sides& by) {
  return {b.x0 - by.left, b.y0 - by.top, b.x1 + by.right, b.y1 + by.bottom};
}

inline bool contains(const Rect& outer, const Rect& inner) {
  return inner.x >= outer.x && inner.y >= outer.y && inner.right() <= outer.right() &&
         inner.bottom() <= outer.bottom();
}

/** The smallest rectangle of whole pixels around `b`. Its corners must fit an int. */
inline Rect roundOutwards(const Box& b) {
  const int x = static_cast<int>(std::floor(b.x0));
  const int y = static_cast<int>(std::floor(b.y0));
  return {x, y, static_cast<int>(std::ceil(b.x1)) - x, static_cast<int>(std::ceil(b.y1)) - y};
}

/** The same, clipped to the frame. */
inline Rect roundOutwards(const Box& b, Size frame) {
  return roundOutwards(clip(b, frame));
}

}  // namespace elf
