// SPDX-License-Identifier: LGPL-2.1-or-later
// Predicts where the objects of the history will be.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elf/base/choice.h"
#include "elf/predict/history.h"
#include "elf/types/plan.h"

namespace elf {

/** The expected box of one object. */
struct Prediction {
  Identity id = kNoIdentity;
  /**
   * Tight box, in pixels of the frame, finite; may reach over its edges. Empty if the predictor's
   * output is not a box.
   */
  Box box;
  /** One standard deviation of each side's error, in pixels, >= 0. */
  Sides uncertainty;
};

/**
 * A prediction method. Implementations keep no state between calls and may be used from several
 * threads at once.
 */
class RpPredictor {
 public:
  virtual ~RpPredictor() = default;

  /** At most one prediction for each track of `history`, for a frame at `when`, which is later than
   * its observations. */
  virtual std::vector<Prediction> predict(const History& history, const FrameTime& when) const = 0;

  /**
   * `weights` is the file of a trained predictor's weights, or its name in kWeightFiles. Empty
   * means the predictor's own. Untrained predictors take no weights. Throws elf::Error naming
   * `predictor` for a name not in predictorChoices(), `weights` if they are missing or not taken,
   * or the file that can't be used.
   */
  static std::unique_ptr<RpPredictor> create(std::string_view name,
                                             const std::string& weights = {});
};

/** The predictors; the first is the default. */
std::span<const Choice> predictorChoices();

/** What is expected in a frame before it is inferred. */
struct Forecast {
  /** How many usual frames ahead it is made: History::framesUntil(). */
  double frames = 0;
  std::vector<Prediction> predictions;
  /** The RPs that makeRps() makes of them. */
  std::vector<Rp> rps;
};

/** How much wider than the predicted box an RP is, on each side. */
struct Padding {
  /** Share of the box's width (left, right) and height (top, bottom). */
  double ratio = 0.1;
  /** But at least this many pixels. */
  double minimum = 16;
  /** Standard deviations of the predictor's uncertainty that are added. */
  double deviations = 1;
  /** Pixels that are added. */
  double pixels = 0;
};

/** The predicted box, widened; not clipped. */
Box padded(const Prediction& prediction, const Padding& padding);

/**
 * Turns predictions into RPs of a frame: padded, clipped, labelled from the history. An empty box
 * is replaced by the last one seen. A prediction wholly outside the frame is left out.
 */
std::vector<Rp> makeRps(const std::vector<Prediction>& predictions, const History& history,
                        Size frame, const Padding& padding);

}  // namespace elf
