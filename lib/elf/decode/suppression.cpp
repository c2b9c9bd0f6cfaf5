// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "elf/decode/decoder.h"

namespace elf {

namespace {

double overlap(const Candidate& a, const Candidate& b) {
  return a.rotated && b.rotated ? probabilisticIou(*a.rotated, *b.rotated) : iou(a.box, b.box);
}

}  // namespace

std::vector<Candidate> suppress(std::vector<Candidate> candidates, double mostIou,
                                std::size_t most) {
  // What is left of a network that is sure of everything must not take minutes.
  constexpr std::size_t kMaxCandidates = 10000;
  std::ranges::stable_sort(candidates, std::greater(), &Candidate::score);
  if (candidates.size() > kMaxCandidates) candidates.resize(kMaxCandidates);
  std::vector<Candidate> kept;
  for (Candidate& candidate : candidates) {
    if (kept.size() == most) break;
    const bool known = std::ranges::any_of(kept, [&](const Candidate& other) {
      return other.labelId == candidate.labelId && overlap(other, candidate) > mostIou;
    });
    if (!known) kept.push_back(std::move(candidate));
  }
  return kept;
}

}  // namespace elf
