// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/tracker.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace elf {

Tracker::Tracker() : indexer_(RpIndexer::create(indexerChoices().front().name)) {}

void Tracker::setIndexer(std::unique_ptr<const RpIndexer> indexer) {
  indexer_ = std::move(indexer);
}

Tracker::Known* Tracker::find(Identity id) {
  const auto known = std::lower_bound(known_.begin(), known_.end(), id,
                                      [](const Known& k, Identity i) { return k.id < i; });
  return known != known_.end() && known->id == id ? &*known : nullptr;
}

void Tracker::track(const FrameTime& when, Size size, std::span<const Rp> rps,
                    std::vector<Detection>& detections) {
  std::erase_if(known_, [&](Known& known) {
    return ++known.looks > kLeastLooks && std::lround(framesBetween(known.seen, when)) > kMemory;
  });
  if (known_.size() > kMostKnown) {
    std::vector<double> seen;
    for (const Known& known : known_) seen.push_back(known.seen);
    const auto oldest = seen.end() - kMostKnown;
    std::nth_element(seen.begin(), oldest, seen.end());
    std::erase_if(known_, [&](const Known& known) { return known.seen < *oldest; });
  }

  std::vector<LabelledBox> before;
  before.reserve(known_.size());
  for (const Known& known : known_) before.push_back(known.last);
  for (const Rp& rp : rps)
    if (const Known* known = find(rp.id)) before[known - known_.data()].box = rp.expected;

  std::vector<LabelledBox> now;
  std::vector<Detection*> found;
  now.reserve(detections.size());
  found.reserve(detections.size());
  for (Detection& detection : detections) {
    if (!detection.coasted && !detection.kept) {
      now.push_back({detection.box, detection.labelId});
      found.push_back(&detection);
    } else if (Known* known = find(detection.id)) {
      known->seen = std::max(known->seen, when.at);
      known->looks = 0;
      if (detection.kept) known->last = {detection.box, detection.labelId};
      before[known - known_.data()].box = {};  // already in this frame: matches no detection
    }
  }

  const std::vector<int> matched = indexer_->match(before, now, size);
  std::vector<bool> taken(before.size());
  for (std::size_t n = 0; n < found.size(); ++n) {
    const int b = matched[n];
    const bool again = b != RpIndexer::kNew && !taken[b];
    if (again) {
      taken[b] = true;
      known_[b] = {known_[b].id, now[n], when.at, 0, known_[b].first};
    } else {
      known_.push_back({next_++, now[n], when.at, 0, when.running});
    }
    const Known& known = again ? known_[b] : known_.back();
    found[n]->id = known.id;
    found[n]->seen = {known.first, when.running};
  }
}

}  // namespace elf
