// SPDX-License-Identifier: LGPL-2.1-or-later
// What the runs are compared with: the model on whole frames, and the truth.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "elf/agreement/agreement.h"
#include "elf/types/model_rules.h"
#include "gst/bench/measuring.h"
#include "research/data/mot.h"

namespace elf::bench {

/** The truth of the input's frames. */
struct Truth {
  struct Frame {
    std::vector<Box> boxes;
    /** Boxes that the file says are to be ignored. */
    std::vector<Box> ignored;
  };
  std::vector<Frame> frames;
  /** The classes that the truth is about; empty: all. */
  std::set<std::int64_t> labels;
};

/**
 * The entries of frames 0..`count`-1, their boxes scaled from frames of size `source` to such of
 * size `frame`. The truth is about the classes called "person" or "pedestrian", or about all where
 * the model has neither.
 */
Truth makeTruth(const std::vector<MotEntry>& entries, std::size_t count, Size frame, Size source,
                const ModelRules& rules);

/** What the runs are compared with. */
struct Yardstick {
  const FrameDetections& reference;
  /** Null: not asked for. */
  const Truth* truth = nullptr;
  float minScore = 0;
  float sureScore = 0;
};

/** From which intersection over union on boxes are partners. */
inline constexpr double kMinIou = 0.5;
inline constexpr double kStrictIou = 0.75;

/** Adds up over frames how well boxes agree with the yardstick, which must outlive it. */
class Comparison {
 public:
  explicit Comparison(const Yardstick& yardstick) : yardstick_(yardstick), truth_(kMinIou) {}

  /** The boxes that were found in that frame, or shown with it. */
  void add(std::size_t frame, const std::vector<Detection>& found);

  eval::Figures confident() const { return eval::figures(confident_); }
  eval::Figures confident75() const { return eval::figures(confident75_); }
  /** Unset where no truth was asked for. */
  std::optional<eval::TruthFigures> truth() const;

 private:
  const Yardstick& yardstick_;
  eval::Counts confident_, confident75_;
  eval::TruthComparison truth_;
};

/** The reference's own figures against the truth, which there is. */
eval::TruthFigures judgeReference(const Yardstick& yardstick);

}  // namespace elf::bench
