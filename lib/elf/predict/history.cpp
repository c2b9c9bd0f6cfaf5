// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/history.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace elf {

namespace {

/** The weight of a frame after the next one. */
constexpr double kKept = 0.98;

}  // namespace

void History::add(const Feedback& feedback) {
  if (lastLooked_ && feedback.id <= *lastLooked_) return;
  size_ = feedback.size;

  std::set<Identity> unlooked;  // coasted: their part got no answer, so nothing is known about them
  if (feedback.looked) {
    lastLooked_ = feedback.id;
    lookedAt_ = feedback.when.at;
    sighted_ *= kKept;
    lapses_ *= kKept;
    for (const Detection& detection : feedback.detections) {
      if (detection.id == kNoIdentity) continue;
      if (detection.coasted)
        unlooked.insert(detection.id);
      else
        see(detection, feedback.when.at);
    }
  }
  for (auto& [id, track] : tracks_)
    if (!feedback.looked || unlooked.contains(id))
      ++track.unanswered;
    else if (track.last().at != feedback.when.at)
      ++track.missed;
  std::erase_if(tracks_, [&](const auto& entry) {
    const Track& track = entry.second;
    const bool sure = track.last().score >= feedback.sureScore;
    return isOver(track, track.unanswered, feedback.when) ||
           (sure ? isOver(track, track.missed, feedback.when)
                 : track.missed > std::min(1, limits_.coastFrames));
  });
}

bool History::isOver(const Track& track, int looks, const FrameTime& now) const {
  // At the usual rate each frame is a look.
  return std::lround(framesBetween(track.last().at, now)) > limits_.coastFrames &&
         looks >= std::min(kLeastLooks, limits_.coastFrames + 1);
}

void History::see(const Detection& detection, double at) {
  Track& track = tracks_[detection.id];
  track.id = detection.id;
  track.labelId = detection.labelId;
  track.label = detection.label;
  track.seen = detection.seen;
  ++sighted_;
  lapses_ += track.missed;
  track.missed = track.unanswered = 0;
  track.observations.push_back({at, detection.box, detection.score});
  while (track.observations.size() > static_cast<std::size_t>(limits_.length))
    track.observations.pop_front();
}

void History::clear() {
  lastLooked_.reset();
  size_ = {};
  tracks_.clear();
  sighted_ = kPriorSighted;
  lapses_ = kPriorLapses;
}

}  // namespace elf
