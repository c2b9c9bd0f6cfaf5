// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/render/brush.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace elf {

namespace {

template <int kStep>
void fillRow(std::uint8_t* to, std::size_t count, const std::uint8_t* value) {
  for (std::size_t i = 0; i < count; ++i)
    for (int channel = 0; channel < kStep; ++channel) *to++ = value[channel];
}

template <int kStep>
void blendRow(std::uint8_t* to, const std::uint8_t* alpha, std::size_t count,
              const std::uint8_t* value) {
  for (std::size_t i = 0; i < count; ++i, to += kStep) {
    const unsigned a = alpha[i];
    if (a == 0) continue;
    for (int channel = 0; channel < kStep; ++channel)
      to[channel] =
          static_cast<std::uint8_t>((to[channel] * (255 - a) + value[channel] * a + 127) / 255);
  }
}

// Calls `row` with the number of channels as a constant, so that its loops are unrolled.
template <typename Row>
void withStep(int step, Row&& row) {
  switch (step) {
    case 1:
      return row(std::integral_constant<int, 1>{});
    case 2:
      return row(std::integral_constant<int, 2>{});
    case 3:
      return row(std::integral_constant<int, 3>{});
    default:
      return row(std::integral_constant<int, 4>{});
  }
}

// The columns of a halved plane that contain any pixel of `rect`.
std::pair<int, int> columnsOf(const Rect& rect) {
  return {rect.x / 2, (rect.right() + 1) / 2};
}

}  // namespace

Brush::Brush(const MutableImageView& picture) : picture_(picture) {
  switch (picture.format) {
    case PixelFormat::I420:
      add(1, false);
      add(1, true);
      add(1, true);
      break;
    case PixelFormat::NV12:
      add(1, false);
      add(2, true);
      break;
    case PixelFormat::GRAY8:
      add(1, false);
      break;
    case PixelFormat::RGB:
    case PixelFormat::BGR:
      add(3, false);
      break;
    default:
      add(4, false);
  }
}

void Brush::add(int step, bool halved) {
  planes_[count_] = {picture_.planes[count_], picture_.strides[count_], step, halved};
  ++count_;
}

void Brush::fill(const Rect& rect, const Colour& colour) {
  const Rect seen = intersect(rect, wholeFrame(picture_.size));
  if (seen.empty()) return;
  const Values values = valuesOf(colour);
  for (std::size_t i = 0; i < count_; ++i) {
    const Plane& plane = planes_[i];
    const auto [from, to] = plane.halved ? columnsOf(seen) : std::pair(seen.x, seen.right());
    withStep(plane.step, [&, from = from, to = to](auto step) {
      int done = -1;
      for (int y = seen.y; y < seen.bottom(); ++y) {
        const int row = plane.halved ? picture_.chromaRow(y) : y;
        if (std::exchange(done, row) == row) continue;
        fillRow<step>(plane.pixels + static_cast<std::ptrdiff_t>(row) * plane.stride + from * step,
                      static_cast<std::size_t>(to - from), values[i].data());
      }
    });
  }
}

void Brush::blend(const Coverage& coverage, const Colour& colour) {
  const Rect seen = intersect(coverage.rect, wholeFrame(picture_.size));
  if (seen.empty()) return;
  const auto width = static_cast<std::size_t>(seen.width);
  const Values values = valuesOf(colour);
  const auto covered = [&](int y) {
    return coverage.pixels.data() +
           static_cast<std::size_t>(y - coverage.rect.y) *
               static_cast<std::size_t>(coverage.rect.width) +
           static_cast<std::size_t>(seen.x - coverage.rect.x);
  };

  alpha_.resize(width);
  withStep(planes_[0].step, [&](auto step) {
    for (int y = seen.y; y < seen.bottom(); ++y) {
      const std::uint8_t* from = covered(y);
      for (std::size_t x = 0; x < width; ++x)
        alpha_[x] = static_cast<std::uint8_t>(from[x] * coverage.weight);
      blendRow<step>(
          planes_[0].pixels + static_cast<std::ptrdiff_t>(y) * planes_[0].stride + seen.x * step,
          alpha_.data(), width, values[0].data());
    }
  });
  if (count_ == 1) return;

  const auto [firstColumn, endColumn] = columnsOf(seen);  // never more than those of `seen`
  sums_.resize(static_cast<std::size_t>(endColumn - firstColumn));
  // Rows that share one of chroma are neighbours, in interlaced frames neighbours of a field.
  const int between = picture_.interlaced ? 2 : 1;
  const int block = 2 * between;
  for (int first = seen.y / block * block; first < seen.bottom(); ++first) {
    if (first % block >= between) continue;
    const int row = picture_.chromaRow(first);
    std::ranges::fill(sums_, 0);
    for (const int y : {first, first + between}) {
      if (y < seen.y || y >= seen.bottom()) continue;
      const std::uint8_t* from = covered(y);
      int x = seen.x;
      if (x % 2 != 0) {
        sums_[0] += *from++;
        ++x;
      }
      int* sum = sums_.data() + (x / 2 - firstColumn);
      for (; x + 1 < seen.right(); x += 2, from += 2) *sum++ += from[0] + from[1];
      if (x < seen.right()) *sum += *from;
    }
    // A sample is the mean of four pixels, or of two or one at an odd edge of the picture.
    const int rows = first + between < picture_.size.height ? 1 : 0;
    for (int i = 0; i < endColumn - firstColumn; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const int shift = rows + (2 * (firstColumn + i) + 1 < picture_.size.width ? 1 : 0);
      alpha_[at] =
          static_cast<std::uint8_t>((sums_[at] * coverage.weight + (1 << shift) / 2) >> shift);
    }
    for (std::size_t p = 1; p < count_; ++p)
      withStep(planes_[p].step, [&](auto step) {
        blendRow<step>(planes_[p].pixels + static_cast<std::ptrdiff_t>(row) * planes_[p].stride +
                           firstColumn * step,
                       alpha_.data(), sums_.size(), values[p].data());
      });
  }
}

void Brush::line(double x0, double y0, double x1, double y1, double width, const Colour& colour) {
  const double reach = width / 2 + 1;
  const auto down = [reach](double v) { return static_cast<int>(std::floor(v - reach)); };
  const auto up = [reach](double v) { return static_cast<int>(std::ceil(v + reach)); };
  const Rect around{down(std::min(x0, x1)), down(std::min(y0, y1)),
                    up(std::max(x0, x1)) - down(std::min(x0, x1)),
                    up(std::max(y0, y1)) - down(std::min(y0, y1))};
  const Rect rect = intersect(around, wholeFrame(picture_.size));
  if (rect.empty()) return;

  const double dx = x1 - x0;
  const double dy = y1 - y0;
  const double length2 = dx * dx + dy * dy;
  // A pixel whose middle lies within half a pixel of the edge is covered in part.
  const double inside2 = std::pow(std::max(0.0, width / 2 - 0.5), 2);
  const double outside2 = std::pow(width / 2 + 0.5, 2);
  const bool slanting = std::abs(dy) > 1e-3;
  const double half = slanting ? reach * std::sqrt(length2) / std::abs(dy) : 0;
  // The part of `row` that the band of the line may reach into.
  const auto bandOf = [&](int y, const Rect& row) {
    if (!slanting) return std::pair(row.x, row.right());
    const double middle = x0 + (y + 0.5 - y0) * dx / dy;
    return std::pair(
        static_cast<int>(std::clamp<double>(std::floor(middle - half), row.x, row.right())),
        static_cast<int>(std::clamp<double>(std::ceil(middle + half), row.x, row.right())));
  };
  // Strip by strip, as the rectangle around a long slanting line is mostly empty. A chroma sample,
  // which covers at most four rows, is in one strip.
  constexpr int kStrip = 16;
  for (int top = rect.y & ~3; top < rect.bottom(); top += kStrip) {
    Rect strip = intersect(rect, {rect.x, top, rect.width, kStrip});
    const auto [from, to] = bandOf(strip.y, strip);
    const auto [lastFrom, lastTo] = bandOf(strip.bottom() - 1, strip);
    strip.x = std::min(from, lastFrom);
    strip.width = std::max(to, lastTo) - strip.x;
    if (strip.empty()) continue;
    line_.assign(static_cast<std::size_t>(strip.width) * static_cast<std::size_t>(strip.height), 0);
    std::uint8_t* row = line_.data();
    for (int y = strip.y; y < strip.bottom(); ++y, row += strip.width) {
      const double py = y + 0.5 - y0;
      const auto [first, end] = bandOf(y, strip);
      for (int x = first; x < end; ++x) {
        const double px = x + 0.5 - x0;
        const double along =
            length2 > 0 ? std::clamp((px * dx + py * dy) / length2, 0.0, 1.0) : 0.0;
        const double aside = px - along * dx;
        const double below = py - along * dy;
        const double distance2 = aside * aside + below * below;
        if (distance2 >= outside2) continue;
        std::uint8_t& pixel = row[x - strip.x];
        pixel =
            distance2 <= inside2
                ? 255
                : static_cast<std::uint8_t>(255 * (width / 2 + 0.5 - std::sqrt(distance2)) + 0.5);
      }
    }
    blend({strip, line_}, colour);
  }
}

Brush::Values Brush::valuesOf(const Colour& c) const {
  const auto stored = [](double v) {
    return static_cast<std::uint8_t>(std::lround(std::clamp(v, 0.0, 255.0)));
  };
  const std::uint8_t r = stored(255 * c.r);
  const std::uint8_t g = stored(255 * c.g);
  const std::uint8_t b = stored(255 * c.b);
  switch (picture_.format) {
    case PixelFormat::RGB:
    case PixelFormat::RGBx:
      return {{{r, g, b, 255}}};
    case PixelFormat::BGR:
    case PixelFormat::BGRx:
      return {{{b, g, r, 255}}};
    case PixelFormat::xRGB:
      return {{{255, r, g, b}}};
    case PixelFormat::xBGR:
      return {{{255, b, g, r}}};
    default:
      break;
  }
  double kr = 0.299;
  double kb = 0.114;
  if (picture_.matrix == ColourMatrix::Bt709) {
    kr = 0.2126;
    kb = 0.0722;
  } else if (picture_.matrix == ColourMatrix::Bt2020) {
    kr = 0.2627;
    kb = 0.0593;
  }
  const bool full = picture_.range == ColourRange::Full;
  const double luma = kr * c.r + (1 - kr - kb) * c.g + kb * c.b;
  const double chroma = full ? 255 : 224;
  const std::uint8_t y = stored(full ? 255 * luma : 16 + 219 * luma);
  const std::uint8_t u = stored(128 + chroma * (c.b - luma) / (2 * (1 - kb)));
  const std::uint8_t v = stored(128 + chroma * (c.r - luma) / (2 * (1 - kr)));
  if (picture_.format == PixelFormat::NV12) return {{{y}, {u, v}}};
  return {{{y}, {u}, {v}}};
}

}  // namespace elf
