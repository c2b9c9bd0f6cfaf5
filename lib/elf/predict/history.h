// SPDX-License-Identifier: LGPL-2.1-or-later
// The observations of the last frames, by object: the input of every prediction.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "elf/types/feedback.h"

namespace elf {

/** One object as it was in one frame. */
struct Observation {
  /** FrameTime::at. */
  double at = 0;
  Box box;
  float score = 0;
};

/** An object and its observations, oldest first; at least one. */
struct Track {
  Identity id = kNoIdentity;
  std::int64_t labelId = 0;
  std::string label;
  SeenTimes seen;
  std::deque<Observation> observations;
  /** Frames since the last observation that looked for it in vain, and that should have looked
   * there but got no answer. */
  int missed = 0, unanswered = 0;

  const Observation& last() const { return observations.back(); }
};

/**
 * Tracks of the objects that may still be there. Coasted detections are not observations: they were
 * predicted from this history. Not thread-safe.
 */
class History {
 public:
  struct Limits {
    /** Observations kept for each object. */
    int length = 10;
    /**
     * An object is forgotten when it was not seen for longer than this many usual frames, and at
     * least kLeastLooks frames have looked for it since. If the model was not sure of it when it
     * was last seen, its second miss ends it: it costs as much to look for, and as a rule it was
     * never there. The first rule also holds for frames that servers did not answer, so that old
     * objects are not shown for ever while all servers are down.
     */
    int coastFrames = 10;
  };

  /** Where few frames are inferred, an occasional miss of the detector loses no object. */
  static constexpr int kLeastLooks = 3;

  History() : History(Limits{}) {}
  explicit History(Limits limits) : limits_(limits) {}

  /**
   * Adds the result of a frame. One that looked and found nothing is a fact, and ages every track.
   * So does one that got no answer. Do not add frames that were not meant to be inferred. Frames
   * arrive in the order of their id. One not newer than the last inferred one is ignored.
   */
  void add(const Feedback& feedback);
  /** Forgets all. */
  void clear();

  /** Id of the newest inferred frame; unset before the first. */
  std::optional<std::uint64_t> lastLooked() const { return lastLooked_; }
  /** How many usual frames `then` is after it; 0 before the first. */
  double framesUntil(const FrameTime& then) const {
    return known() ? framesBetween(lookedAt_, then) : 0;
  }
  /** True once a frame was inferred: RPs are known from then on, even if there are none. */
  bool known() const { return lastLooked_.has_value(); }
  /** Size of the frames that the observations are in; empty before the first answer. */
  Size size() const { return size_; }
  const std::map<Identity, Track>& tracks() const { return tracks_; }
  /**
   * Share, above 0 and below 1, of the objects that are there but not detected in an inferred
   * frame, as far as they were detected again later. Recent frames count most. Initially a tenth.
   */
  double missRate() const { return lapses_ / (lapses_ + sighted_); }

 private:
  void see(const Detection& detection, double at);
  bool isOver(const Track& track, int looks, const FrameTime& now) const;

  static constexpr double kPriorSighted = 18;
  static constexpr double kPriorLapses = 2;

  Limits limits_;
  std::optional<std::uint64_t> lastLooked_;
  /** FrameTime::at of that one. */
  double lookedAt_ = 0;
  Size size_;
  std::map<Identity, Track> tracks_;
  /** Observations, and misses between two of them, both fading. */
  double sighted_ = kPriorSighted;
  double lapses_ = kPriorLapses;
};

}  // namespace elf
