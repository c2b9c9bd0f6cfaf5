// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/whole_frame.h"

#include <algorithm>
#include <numbers>
#include <numeric>

#include "elf/offload/jpeg_size.h"

namespace elf {

namespace {

constexpr int kMostPerSide = 8;
/** Smaller tiles would be mostly edge. Tiles are whole blocks of a JPEG, as a partial block would
 * count as one. */
constexpr int kLeastSide = 64, kBlock = 16;

struct Span {
  int begin = 0, end = 0;
};

int tilesAlong(int side) {
  return std::clamp(side / kLeastSide, 1, kMostPerSide);
}

Span tileAlong(int side, int index) {
  const int count = tilesAlong(side);
  const auto at = [&](int i) { return i == count ? side : side * i / count / kBlock * kBlock; };
  return {at(index), at(index + 1)};
}

int tilesOf(Size frame) {
  return tilesAlong(frame.width) * tilesAlong(frame.height);
}

}  // namespace

Rect WholeFrameEstimate::nextTile(Size frame) const {
  const int count = tilesOf(frame);
  // Steps of about the golden section lie apart, and reach each tile once a round.
  auto step = static_cast<std::uint64_t>(count / std::numbers::phi + 1);
  while (std::gcd(step, static_cast<std::uint64_t>(count)) != 1) ++step;
  const int index = static_cast<int>(tiles_ * step % static_cast<std::uint64_t>(count));
  const int columns = tilesAlong(frame.width);
  const Span x = tileAlong(frame.width, index % columns);
  const Span y = tileAlong(frame.height, index / columns);
  return {x.begin, y.begin, x.end - x.begin, y.end - y.begin};
}

void WholeFrameEstimate::measured(Size frame, Size tile, std::size_t bytes, int quality) {
  const double keep = tile == frame ? 0 : 1 - 1.0 / tilesOf(frame);
  bytes_ = bytes_ * keep +
           std::max(0.0, static_cast<double>(bytes) - kJpegTables) / jpegShareAt(quality);
  pixels_ = pixels_ * keep + tile.area();
  ++tiles_;
}

double WholeFrameEstimate::bytes(Size frame, int quality) const {
  if (pixels_ == 0) return 0;
  return kJpegTables + frame.area() * jpegShareAt(quality) * bytes_ / pixels_;
}

}  // namespace elf
