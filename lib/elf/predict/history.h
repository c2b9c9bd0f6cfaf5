// SPDX-License-Identifier: LGPL-2.1-or-later
// What was seen in the last frames, object by object: the start of every prediction.
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

/** An object and its observations, oldest first; never without one. */
struct Track {
  Identity id = kNoIdentity;
  std::int64_t labelId = 0;
  std::string label;
  std::deque<Observation> observations;
  /** Frames since the last observation that looked for it in vain, and that should have looked
   * where it is but got no answer. */
  int missed = 0, unanswered = 0;

  const Observation& last() const { return observations.back(); }
};

/**
 * Tracks of the objects that may still be there. Not thread-safe.
 * Coasted detections are no observations: they were predicted from this very history.
 */
class History {
 public:
  struct Limits {
    /** Observations kept for each object. */
    int length = 10;
    /**
     * An object is forgotten when it was not seen for longer than so many usual frames, and at
     * least kLeastLooks frames have looked for it since; one that the model was not sure of when it
     * was seen last, after one that looked: it costs as much to look for, and as a rule it was
     * never there. The same holds where servers did not answer instead: while all of them are gone
     * what was there once is not shown for ever.
     */
    int coastFrames = 10;
  };

  /** Where few frames are looked at, a detector that misses an object now and then loses none. */
  static constexpr int kLeastLooks = 3;

  History() : History(Limits{}) {}
  explicit History(Limits limits) : limits_(limits) {}

  /**
   * Takes in what a frame held. One that looked and saw nothing is a fact, and ages every track, as
   * one that got no answer does. A frame that nobody meant to look at is not given here. Frames
   * come in order of their id; one that is not newer than the last one looked at is ignored.
   */
  void add(const Feedback& feedback);
  /** Forgets all. */
  void clear();

  /** Id of the newest frame that was looked at; unset before the first. */
  std::optional<std::uint64_t> lastLooked() const { return lastLooked_; }
  /** How many usual frames `then` is after it; 0 before the first. */
  double framesUntil(const FrameTime& then) const {
    return known() ? framesBetween(lookedAt_, then) : 0;
  }
  /** True once a frame was looked at: RPs are known from then on, even if there are none. */
  bool known() const { return lastLooked_.has_value(); }
  /** Size of the frames that the observations are in; empty before the first answer. */
  Size size() const { return size_; }
  const std::map<Identity, Track>& tracks() const { return tracks_; }
  /**
   * Share, above 0 and below 1, of the objects that are there but not detected in a frame that
   * looks, as far as they were detected again later: what happened lately counts most, and before
   * anything happened it is a tenth.
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
  /** Observations, and misses between two of them; fading counts. */
  double sighted_ = kPriorSighted;
  double lapses_ = kPriorLapses;
};

}  // namespace elf
