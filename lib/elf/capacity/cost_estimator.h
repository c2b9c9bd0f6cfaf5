// SPDX-License-Identifier: LGPL-2.1-or-later
// Learns from a server's answers what a part costs there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "elf/types/cost_model.h"

namespace elf {

/** True where the two are more than a third apart for a small or a large part. */
bool differNoticeably(const CostModel& a, const CostModel& b);

/** The cost of one answer, without the time that its part waited behind other work. */
struct AnswerCost {
  /** Pixels that the model computed (ModelRules::inputSize); > 0. */
  double pixels = 0;
  /** Size of the encoded picture; >= 0. */
  double bytes = 0;
  /** From sending to having the answer; >= 0. */
  double seconds = 0;
  /** Seconds of these in decoding and inference, if the server reports them. */
  std::optional<double> work;
};

/**
 * Learns the CostModel of one server from its last kWindow answers.
 *
 * An answer that reports its work gives two cost samples: work = a1 + b * pixels, and the rest,
 * which is the link's, = a2 + c * bytes; a = a1 + a2. This tells a slow link from a slow server.
 * Any other answer gives one sample for the sum. Pixels and bytes of the parts of one video are
 * nearly proportional, so such answers may leave open which of the two took the time. The earlier
 * estimate then decides. At the very start this is CostModel's default, in which the server takes
 * all the time. The pictures of a probe (elf/servers/probe.h) leave nothing open.
 *
 * The fit is least squares of relative errors with three additions. Huber's weights (P. J. Huber,
 * Robust Statistics, 1981; found by iterating, P. W. Holland and R. E. Welsch, 1977): an error
 * counts in full up to a quarter of the expected seconds and no more beyond, so that one outlier
 * hardly moves the model. A weak pull (ridge regression, A. E. Hoerl and R. W. Kennard, 1970)
 * towards the mean of the models so far: it decides what the answers leave open, and is weaker the
 * fewer answers that mean rests on. The mean is scaled by the window's median of measured over
 * expected seconds, so that it follows a server that becomes slower as a whole once half of the
 * window has arrived. No coefficient below 0 (Gauss-Seidel steps cut off at 0, C. W. Cryer, 1971).
 *
 * CostModel's default before the first answer. Allocates nothing. Not thread-safe.
 */
class CostEstimator {
 public:
  static constexpr std::size_t kWindow = 24;

  CostEstimator();

  /** Ignores an answer that breaks the bounds of AnswerCost or is not finite. */
  void add(const AnswerCost& answer);

  const CostModel& model() const { return model_; }
  /** How many answers were added. */
  std::uint64_t answers() const { return answers_; }

 private:
  std::array<AnswerCost, kWindow> window_{};
  std::uint64_t answers_ = 0;
  /** a1, b, a2 and c: the mean of about the last kWindow fits. */
  std::array<double, 4> believed_;
  CostModel model_;
};

}  // namespace elf
