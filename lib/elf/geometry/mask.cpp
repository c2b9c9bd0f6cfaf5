// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/mask.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace elf {

namespace {

std::vector<std::uint8_t> blank(const Rect& rect) {
  return std::vector<std::uint8_t>(static_cast<std::size_t>(rect.area()));
}

/** Calls `use` with each row of `mask` inside `rect` and the index where it begins there. */
template <typename Use>
void forRows(const Mask& mask, const Rect& rect, Use&& use) {
  const Rect common = intersect(mask.rect(), rect);
  if (common.empty()) return;
  for (int y = common.y; y < common.bottom(); ++y)
    use(mask.row(y).subspan(static_cast<std::size_t>(common.x - mask.rect().x),
                            static_cast<std::size_t>(common.width)),
        static_cast<std::size_t>(y - rect.y) * static_cast<std::size_t>(rect.width) +
            static_cast<std::size_t>(common.x - rect.x));
}

void appendNumber(std::vector<std::uint8_t>& out, std::uint32_t number) {
  constexpr std::uint32_t kMore = 0x80;
  while (number >= kMore) {
    out.push_back(static_cast<std::uint8_t>(number | kMore));
    number >>= 7;
  }
  out.push_back(static_cast<std::uint8_t>(number));
}

}  // namespace

Mask::Mask(Rect rect, std::vector<std::uint8_t> pixels) : rect_(rect) {
  if (pixels.size() != static_cast<std::size_t>(rect.area()))
    throw std::invalid_argument("a mask has not as many pixels as its rectangle");
  for (std::uint8_t& pixel : pixels) pixel = pixel != 0;
  pixels_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(pixels));
}

double Mask::area() const {
  return pixels_ ? static_cast<double>(std::ranges::count(*pixels_, 1)) : 0;
}

bool Mask::operator==(const Mask& other) const {
  return rect_ == other.rect_ &&
         (pixels_ == other.pixels_ || (pixels_ && other.pixels_ && *pixels_ == *other.pixels_));
}

Mask Mask::shifted(int dx, int dy) const {
  Mask result = *this;
  result.rect_.x += dx;
  result.rect_.y += dy;
  return result;
}

Mask Mask::over(const Rect& rect) const {
  if (rect == rect_) return *this;
  return unite(*this, {}, rect);
}

Mask Mask::resampled(double sx, double sy, const Rect& to) const {
  std::vector<std::uint8_t> pixels = blank(to);
  if (rect_.empty()) return {to, std::move(pixels)};
  // The middle of each pixel counts.
  const auto from = [](int at, double scale) {
    return static_cast<int>(std::floor((at + 0.5) / scale));
  };
  // The place in a row of this mask for each pixel of a row. -1: outside.
  std::vector<std::ptrdiff_t> columns;
  for (int x = to.x; x < to.right(); ++x) {
    const int fromX = from(x, sx);
    columns.push_back(fromX >= rect_.x && fromX < rect_.right() ? fromX - rect_.x : -1);
  }
  auto out = pixels.begin();
  for (int y = to.y; y < to.bottom(); ++y, out += to.width) {
    const int fromY = from(y, sy);
    if (fromY < rect_.y || fromY >= rect_.bottom()) continue;
    const std::uint8_t* source = row(fromY).data();
    std::ranges::transform(columns, out, [source](std::ptrdiff_t column) {
      return column < 0 ? std::uint8_t{0} : source[column];
    });
  }
  return {to, std::move(pixels)};
}

Mask unite(const Mask& a, const Mask& b, const Rect& rect) {
  std::vector<std::uint8_t> pixels = blank(rect);
  for (const Mask* mask : {&a, &b})
    forRows(*mask, rect, [&](std::span<const std::uint8_t> row, std::size_t at) {
      for (std::size_t i = 0; i < row.size(); ++i) pixels[at + i] |= row[i];
    });
  return {rect, std::move(pixels)};
}

double iou(const Mask& a, const Mask& b) {
  double common = 0;
  forRows(a, b.rect(), [&](std::span<const std::uint8_t> row, std::size_t at) {
    const auto width = static_cast<std::size_t>(b.rect().width);
    const auto other = b.row(b.rect().y + static_cast<int>(at / width)).subspan(at % width);
    for (std::size_t i = 0; i < row.size(); ++i) common += row[i] & other[i];
  });
  const double all = a.area() + b.area() - common;
  return all > 0 ? common / all : 0;
}

std::vector<std::uint32_t> runLengths(const Mask& mask) {
  std::vector<std::uint32_t> runs;
  std::uint8_t kind = 0;
  std::uint32_t length = 0;
  for (int y = mask.rect().y; y < mask.rect().bottom(); ++y) {
    const auto row = mask.row(y);
    for (auto at = row.begin(); at != row.end();) {
      const auto end = std::find(at, row.end(), static_cast<std::uint8_t>(1 - kind));
      length += static_cast<std::uint32_t>(end - at);
      at = end;
      if (end == row.end()) break;
      runs.push_back(std::exchange(length, 0));
      kind ^= 1;
    }
  }
  if (length > 0) runs.push_back(length);
  return runs;
}

std::vector<std::uint8_t> toRuns(const Mask& mask) {
  std::vector<std::uint8_t> sent;
  for (const std::uint32_t length : runLengths(mask)) appendNumber(sent, length);
  return sent;
}

std::optional<Mask> fromRunLengths(std::span<const std::uint32_t> runs, const Rect& rect) {
  std::vector<std::uint8_t> pixels = blank(rect);
  std::size_t done = 0;
  std::uint8_t kind = 0;
  for (const std::uint32_t length : runs) {
    if (length > pixels.size() - done) return std::nullopt;
    if (kind) std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>(done), length, kind);
    done += length;
    kind ^= 1;
  }
  if (done != pixels.size()) return std::nullopt;
  return Mask(rect, std::move(pixels));
}

std::optional<Mask> fromRuns(std::span<const std::uint8_t> runs, const Rect& rect) {
  std::vector<std::uint32_t> lengths;
  for (std::size_t i = 0; i < runs.size();) {
    std::uint64_t length = 0;
    constexpr unsigned kMostBits = 35;  // a picture has fewer pixels
    for (unsigned shift = 0;; shift += 7) {
      if (i == runs.size() || shift >= kMostBits) return std::nullopt;
      const std::uint8_t byte = runs[i++];
      length |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (!(byte & 0x80)) break;
    }
    if (length > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    lengths.push_back(static_cast<std::uint32_t>(length));
  }
  return fromRunLengths(lengths, rect);
}

}  // namespace elf
