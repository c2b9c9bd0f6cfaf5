// SPDX-License-Identifier: LGPL-2.1-or-later
// What one part costs on one server, and how that is learned from its answers.
#pragma once

#include <cstdint>

namespace elf {

/** seconds(part) = a + b * pixels + c * bytes, from sending a request to having its answer. */
struct CostModel {
  /** Seconds for a request of any size. */
  double a = 0.005;
  /** Seconds for each pixel sent; the default is 0.2 s for a megapixel. */
  double b = 2e-7;
  /** Seconds for each byte sent. */
  double c = 0;

  bool operator==(const CostModel&) const = default;
  double seconds(double pixels, double bytes = 0) const { return a + b * pixels + c * bytes; }
};

/**
 * Learns a and b of a CostModel from answers by least squares in which an old answer counts less
 * with every new one (factor `kForget`). Starts from CostModel's defaults, which count as one weak
 * answer, and never yields a negative coefficient. Not thread-safe.
 */
class CostEstimator {
 public:
  /** `seconds` from sending to answer for a part of `pixels`. Negative or NaN values are ignored.
   */
  void add(double pixels, double seconds);

  CostModel model() const;
  /** How many answers were added. */
  std::uint64_t answers() const { return answers_; }

  static constexpr double kForget = 0.97;

 private:
  std::uint64_t answers_ = 0;
  // Weighted sums over the answers: 1, pixels, pixels^2, seconds, pixels * seconds (megapixels).
  double n_ = 0, x_ = 0, xx_ = 0, y_ = 0, xy_ = 0;
};

}  // namespace elf
