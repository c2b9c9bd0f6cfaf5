// SPDX-License-Identifier: LGPL-2.1-or-later
// The references of the runs: the model on whole frames, and the truth.
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
    /** Boxes that the file marks as ignored. */
    std::vector<Box> ignored;
  };
  std::vector<Frame> frames;
  /** The classes in the truth. Empty: all. */
  std::set<std::int64_t> labels;
};

/**
 * The entries of frames 0..`count`-1, with boxes scaled from frames of size `source` to size
 * `frame`. The truth covers the classes "person" and "pedestrian", or all classes if the model has
 * neither.
 */
Truth makeTruth(const std::vector<MotEntry>& entries, std::size_t count, Size frame, Size source,
                const ModelRules& rules);

/** The references of the runs. */
struct Yardstick {
  const FrameDetections& reference;
  /** Null: not requested. */
  const Truth* truth = nullptr;
  float minScore = 0;
  float sureScore = 0;
};

/** The minimum intersection over union of matched boxes. */
inline constexpr double kMinIou = 0.5;
inline constexpr double kStrictIou = 0.75;

/** Sums the agreement of boxes with the yardstick over frames. The yardstick must outlive it. */
class Comparison {
 public:
  explicit Comparison(const Yardstick& yardstick) : yardstick_(yardstick), truth_(kMinIou) {}

  /** Adds the boxes found in that frame, or shown with it. */
  void add(std::size_t frame, const std::vector<Detection>& found);

  eval::Figures confident() const { return eval::figures(confident_); }
  eval::Figures confident75() const { return eval::figures(confident75_); }
  /** Unset if no truth was requested. */
  std::optional<eval::TruthFigures> truth() const;

 private:
  const Yardstick& yardstick_;
  eval::Counts confident_, confident75_;
  eval::TruthComparison truth_;
};

/** The reference's own figures against the truth, which must be present. */
eval::TruthFigures judgeReference(const Yardstick& yardstick);

}  // namespace elf::bench
