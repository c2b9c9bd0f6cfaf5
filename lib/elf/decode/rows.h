// SPDX-License-Identifier: LGPL-2.1-or-later
// Shared by several layouts. Not installed.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "elf/decode/decoder.h"

namespace elf {

/** The distances in pixels between the cells of the three grids that most networks use. */
inline constexpr std::array<int, 3> kUsualStrides{8, 16, 32};

/** The number of cells in all three grids. */
inline int cellsOf(Size canvas) {
  int cells = 0;
  for (const int stride : kUsualStrides)
    cells += (canvas.width / stride) * (canvas.height / stride);
  return cells;
}

/** A class number stored as FP32. Unset if it is not one. */
inline std::optional<std::int64_t> classOf(float number) {
  constexpr float kMostClasses = 1 << 24;  // integers below are exact in FP32
  if (!(number >= 0 && number < kMostClasses)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

inline Box aroundCentre(float x, float y, float width, float height) {
  return {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
}

/** The largest of `count` class scores, `step` numbers apart. */
struct BestClass {
  BestClass(const float* scores, std::size_t count, std::size_t step = 1) : score(scores[0]) {
    for (std::size_t i = 1; i < count; ++i)
      if (scores[i * step] > score) {
        score = scores[i * step];
        id = static_cast<std::int64_t>(i);
      }
  }
  float score;
  std::int64_t id = 0;
};

inline float sigmoid(float x) {
  return 1 / (1 + std::exp(-x));
}

/**
 * The distances to the four sides of a box, left, top, right, bottom: for each the mean of a
 * distribution over 0, 1, ... `bins` - 1, whose logits are `step` numbers apart.
 */
inline Sides meanSides(const float* logits, std::size_t bins, std::size_t step) {
  const auto mean = [&](const float* first) {
    const float largest = BestClass(first, bins, step).score;
    float sum = 0, weighted = 0;
    for (std::size_t i = 0; i < bins; ++i) {
      const float weight = std::exp(first[i * step] - largest);
      sum += weight;
      weighted += weight * static_cast<float>(i);
    }
    return weighted / sum;
  };
  return {mean(logits), mean(logits + bins * step), mean(logits + 2 * bins * step),
          mean(logits + 3 * bins * step)};
}

/** Gives an upright candidate an angle. */
inline void rotate(Candidate& candidate, float angle) {
  const Box& box = candidate.box;
  candidate.rotated =
      RotatedBox{static_cast<float>(box.centreX()), static_cast<float>(box.centreY()), box.width(),
                 box.height(), angle};
  candidate.box = candidate.rotated->hull();
}

/** Adds a candidate if it is strong enough and has a box. */
inline void add(std::vector<Candidate>& list, const Reading& reading, Candidate candidate) {
  if (candidate.score >= reading.minScore && std::isfinite(candidate.score) &&
      candidate.box.finite() && !candidate.box.empty())
    list.push_back(std::move(candidate));
}

}  // namespace elf
