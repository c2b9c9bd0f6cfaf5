// SPDX-License-Identifier: LGPL-2.1-or-later
// Learns from the answers of a server what a part costs there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "elf/types/cost_model.h"

namespace elf {

/** True where the two are more than a third apart for a small or a large part. */
bool differNoticeably(const CostModel& a, const CostModel& b);

/** What one answer took, without what its part waited behind other work. */
struct AnswerCost {
  /** That the model computed (ModelRules::inputSize); > 0. */
  double pixels = 0;
  /** Of the encoded picture; >= 0. */
  double bytes = 0;
  /** From sending to having the answer; >= 0. */
  double seconds = 0;
  /** Of these, decoding and inference by the server's own account; unset where it gives none. */
  std::optional<double> work;
};

/**
 * Learns the CostModel of one server from its last kWindow answers.
 *
 * An answer that tells its work gives a point for each of two lines: work = a1 + b * pixels, and
 * the rest, which is the link's, = a2 + c * bytes; a = a1 + a2. So a slow link is told from a slow
 * server. An answer that doesn't gives one point for their sum. Pixels and bytes of the parts of
 * one video nearly go together; as far as such answers leave open which of the two it was, what
 * was believed before stands in, and at the very start that is CostModel's default, in which the
 * server does it all. A probe (elf/servers/probe.h) makes pictures that leave nothing open.
 *
 * The fit is least squares of relative errors with three additions. Huber's weights (P. J. Huber,
 * Robust Statistics, 1981; found by iterating, P. W. Holland and R. E. Welsch, 1977): an error
 * counts in full up to a quarter of what was expected and no more beyond, so that one answer out of
 * line hardly moves the model. A weak pull (ridge regression, A. E. Hoerl and R. W. Kennard, 1970)
 * towards the mean of the models so far, the weaker the fewer answers that rests on, and scaled by
 * the median of the window's answers over it: it decides what the answers leave open, and follows a
 * server that becomes slower as a whole when half of the window has come in. No coefficient below 0
 * (Gauss-Seidel steps cut off at 0, C. W. Cryer, 1971).
 *
 * Defined from the first answer on, and CostModel's default before. Allocates nothing. Not
 * thread-safe.
 */
class CostEstimator {
 public:
  static constexpr std::size_t kWindow = 24;

  CostEstimator();

  /** What breaks the bounds of AnswerCost, or is not finite, is ignored. */
  void add(const AnswerCost& answer);

  const CostModel& model() const { return model_; }
  /** How many answers were added. */
  std::uint64_t answers() const { return answers_; }

 private:
  std::array<AnswerCost, kWindow> window_{};
  std::uint64_t answers_ = 0;
  /** a1, b, a2 and c: the mean of the fits so far, of the last kWindow or so. */
  std::array<double, 4> believed_;
  CostModel model_;
};

}  // namespace elf
