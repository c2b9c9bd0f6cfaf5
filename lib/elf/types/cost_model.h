// SPDX-License-Identifier: LGPL-2.1-or-later
// What one part costs on one server.
#pragma once

namespace elf {

/** seconds(part) = a + b * pixels + c * bytes, from sending a request to having its answer. */
struct CostModel {
  /** Seconds for a request of any size. */
  double a = 0.005;
  /** Seconds for each pixel that the model computes; the default is 0.2 s for a megapixel. */
  double b = 2e-7;
  /** Seconds for each byte sent. */
  double c = 0;

  bool operator==(const CostModel&) const = default;
  double seconds(double pixels, double bytes = 0) const { return a + b * pixels + c * bytes; }
};

}  // namespace elf
