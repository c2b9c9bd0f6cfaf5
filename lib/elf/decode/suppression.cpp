// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "elf/decode/decoder.h"

namespace elf {

namespace {

bool isSame(const Candidate& a, const Candidate& b, double mostIou) {
  const bool rotated = a.rotated && b.rotated;
  return a.labelId == b.labelId &&
         (rotated ? probabilisticIou(*a.rotated, *b.rotated) : iou(a.box, b.box)) > mostIou;
}

}  // namespace

std::vector<Candidate> suppress(std::vector<Candidate> candidates, double mostIou,
                                std::size_t most) {
  // A network that is sure of everything must not take minutes.
  constexpr std::size_t kMaxCandidates = 10000;
  std::ranges::stable_sort(candidates, std::greater(), &Candidate::score);
  if (candidates.size() > kMaxCandidates) candidates.resize(kMaxCandidates);
  std::vector<Candidate> kept, gone;
  for (Candidate& candidate : candidates) {
    if (kept.size() == most) break;
    const auto same = [&](const Candidate& other) { return isSame(other, candidate, mostIou); };
    if (std::ranges::none_of(kept, same) && std::ranges::none_of(gone, same))
      kept.push_back(std::move(candidate));
    else if (candidate.rotated)
      gone.push_back(std::move(candidate));
  }
  return kept;
}

}  // namespace elf
