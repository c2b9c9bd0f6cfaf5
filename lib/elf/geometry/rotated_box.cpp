// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/rotated_box.h"

#include <algorithm>

namespace elf {

namespace {

/** The matrix (a c; c b) of a box's spread. */
struct Covariance {
  double a, b, c;

  explicit Covariance(const RotatedBox& box) {
    const double w = box.width * box.width / 12.0, h = box.height * box.height / 12.0;
    const double cosine = std::cos(box.angle), sine = std::sin(box.angle);
    a = w * cosine * cosine + h * sine * sine;
    b = w * sine * sine + h * cosine * cosine;
    c = (w - h) * cosine * sine;
  }
  double determinant() const { return a * b - c * c; }
};

}  // namespace

double probabilisticIou(const RotatedBox& one, const RotatedBox& other) {
  constexpr double kTiny = 1e-7;
  const Covariance p(one), q(other);
  const double x = one.centreX - other.centreX, y = one.centreY - other.centreY;
  const double a = p.a + q.a, b = p.b + q.b, c = p.c + q.c;
  const double determinant = a * b - c * c;
  const double distance =
      (a * y * y + b * x * x - 2 * c * x * y) / (4 * (determinant + kTiny)) +
      std::log(determinant /
                   (4 * std::sqrt(std::max(p.determinant(), 0.0) * std::max(q.determinant(), 0.0)) +
                    kTiny) +
               kTiny) /
          2;
  // With kTiny, what lies far away would be a little below 0.
  return std::max(0.0, 1 - std::sqrt(1 - std::exp(-std::clamp(distance, kTiny, 100.0)) + kTiny));
}

}  // namespace elf
