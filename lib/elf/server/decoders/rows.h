// SPDX-License-Identifier: LGPL-2.1-or-later
// What several layouts have in common. Not installed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "elf/server/decoders/decoder.h"

namespace elf {

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

/** Keeps what is strong enough and has a box of finite corners. */
inline void add(std::vector<Candidate>& list, const Reading& reading, Candidate candidate) {
  if (candidate.score >= reading.minScore && candidate.box.finite())
    list.push_back(std::move(candidate));
}

}  // namespace elf
