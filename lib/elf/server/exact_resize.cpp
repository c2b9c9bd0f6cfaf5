// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/exact_resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace elf {

namespace {

// As in OpenCV's resize.cpp: weights of 8 bits, first along rows, then along columns.
constexpr int kBits = 8;
constexpr unsigned kOne = 1U << kBits;
constexpr unsigned kHalf = 1U << (2 * kBits - 1);

/** The two neighbouring source pixels of a resized pixel, and the weight of the second one. */
struct Taps {
  int first = 0;
  int second = 0;
  unsigned weight = 0;
};

Taps tapsOf(int resizedAt, int length, int resized) {
  const double scale = 1.0 / (static_cast<double>(resized) / length);
  const double at = scale * (resizedAt + 0.5) - 0.5;
  const int first = static_cast<int>(std::floor(at));
  if (first < 0 || length <= 1) return {0, 0, 0};
  if (first >= length - 1) return {length - 1, length - 1, 0};
  return {first, first + 1, static_cast<unsigned>(std::lrint((at - first) * kOne))};
}

/** The taps of `count` places from `begin` on, within a part, at `step` bytes per pixel. */
std::vector<Taps> tapsWithin(int begin, int count, int length, int resized, int from, int part,
                             int step) {
  std::vector<Taps> all;
  all.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    Taps taps = tapsOf(begin + i, length, resized);
    taps.first = std::clamp(taps.first - from, 0, part - 1) * step;
    taps.second = std::clamp(taps.second - from, 0, part - 1) * step;
    all.push_back(taps);
  }
  return all;
}

}  // namespace

std::pair<int, int> madeOf(int from, int to, int length, int resized) {
  const auto inside = [&](int at) {
    const Taps taps = tapsOf(at, length, resized);
    return taps.first >= from && taps.second < to;
  };
  const double share = static_cast<double>(resized) / length;
  int begin = std::clamp(static_cast<int>(from * share) - 1, 0, resized);
  while (begin < resized && !inside(begin)) ++begin;
  int end = std::clamp(static_cast<int>(to * share) + 1, begin, resized);
  while (end > begin && !inside(end - 1)) --end;
  return {begin, end};
}

void resizePart(const cv::Mat& part, const Placement& placement, cv::Size resized,
                const cv::Rect& region, cv::Mat& out) {
  constexpr int kChannels = 3;
  const std::vector<Taps> columns = tapsWithin(region.x, region.width, placement.frame.width,
                                               resized.width, placement.x, part.cols, kChannels);
  const std::vector<Taps> rows = tapsWithin(region.y, region.height, placement.frame.height,
                                            resized.height, placement.y, part.rows, 1);
  out.create(region.height, region.width, CV_8UC3);
  const std::size_t length = static_cast<std::size_t>(region.width) * kChannels;
  // Two source rows, resized along themselves. The second row of one result is often the first of
  // the next.
  std::vector<std::uint16_t> first(length), second(length);
  int firstRow = -1, secondRow = -1;
  const auto along = [&](int row, std::vector<std::uint16_t>& line) {
    const std::uint8_t* source = part.ptr(row);
    std::uint16_t* target = line.data();
    for (const Taps& taps : columns)
      for (int c = 0; c < kChannels; ++c)
        *target++ = static_cast<std::uint16_t>(source[taps.first + c] * (kOne - taps.weight) +
                                               source[taps.second + c] * taps.weight);
  };
  for (int y = 0; y < region.height; ++y) {
    const Taps& taps = rows[static_cast<std::size_t>(y)];
    if (taps.first == secondRow) {
      std::swap(first, second);
      std::swap(firstRow, secondRow);
    }
    if (taps.first != firstRow) along(firstRow = taps.first, first);
    if (taps.second != secondRow) along(secondRow = taps.second, second);
    std::uint8_t* target = out.ptr(y);
    for (std::size_t i = 0; i < length; ++i)
      target[i] = static_cast<std::uint8_t>(
          (first[i] * (kOne - taps.weight) + second[i] * taps.weight + kHalf) >> (2 * kBits));
  }
}

}  // namespace elf
