// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/merge/identifier.h"

#include <algorithm>
#include <set>

namespace elf {

void Identifier::identify(std::uint64_t frame, std::span<const Rp> rps,
                          std::vector<Detection>& detections) {
  std::erase_if(known_, [&](const auto& k) { return frame - k.second.seen > kMemory; });
  std::map<Identity, Known> expected = known_;
  for (const Rp& rp : rps)
    if (const auto known = expected.find(rp.id); known != expected.end())
      known->second.box = rp.expected;

  struct Pair {
    double iou;
    Identity id;
    std::size_t detection;
  };
  std::vector<Pair> pairs;
  std::set<Identity> taken;
  for (std::size_t d = 0; d < detections.size(); ++d) {
    if (detections[d].coasted) {  // knows whose it is
      taken.insert(detections[d].id);
      continue;
    }
    detections[d].id = kNoIdentity;
    for (const auto& [id, known] : expected) {
      const double overlap = iou(known.box, detections[d].box);
      if (known.labelId == detections[d].labelId && overlap >= kMinIou)
        pairs.push_back({overlap, id, d});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.iou > b.iou; });
  for (const Pair& pair : pairs) {
    if (detections[pair.detection].id != kNoIdentity || !taken.insert(pair.id).second) continue;
    detections[pair.detection].id = pair.id;
  }
  for (Detection& detection : detections) {
    if (detection.coasted) continue;
    if (detection.id == kNoIdentity) detection.id = next_++;
    known_[detection.id] = {detection.box, detection.labelId, frame};
  }
}

}  // namespace elf
