// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/geometry/rotated_box.h"

#include <algorithm>
#include <cstddef>

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

/** Coordinates along the sides of `axes`, from its centre. */
class Axes {
 public:
  explicit Axes(const RotatedBox& axes)
      : x_(axes.centreX),
        y_(axes.centreY),
        cosine_(std::cos(axes.angle)),
        sine_(std::sin(axes.angle)) {}

  Corner to(const Corner& at) const {
    const double x = at.x - x_, y = at.y - y_;
    return {x * cosine_ + y * sine_, y * cosine_ - x * sine_};
  }
  Corner from(const Corner& at) const {
    return {x_ + at.x * cosine_ - at.y * sine_, y_ + at.x * sine_ + at.y * cosine_};
  }

 private:
  double x_, y_, cosine_, sine_;
};

/** Room for four corners that are cut four times, even with errors of rounding. */
struct Polygon {
  std::array<Corner, 64> corners;
  std::size_t count = 0;

  void add(const Corner& corner) { corners[count++] = corner; }
  /** Calls `take` with both ends of each side. */
  template <typename Take>
  void forSides(Take take) const {
    for (std::size_t i = 0; i < count; ++i) take(corners[i], corners[i + 1 < count ? i + 1 : 0]);
  }
};

/** The part of it that is at most `most` to the `sign`ed side. (Sutherland and Hodgman, 1974.) */
void cut(const Polygon& polygon, double Corner::*axis, double sign, double most, Polygon& kept) {
  kept.count = 0;
  polygon.forSides([&](const Corner& a, const Corner& b) {
    const double beyondA = sign * a.*axis - most, beyondB = sign * b.*axis - most;
    if (beyondA <= 0) kept.add(a);
    if ((beyondA < 0 && beyondB > 0) || (beyondA > 0 && beyondB < 0)) {
      const double share = beyondA / (beyondA - beyondB);
      kept.add({a.x + share * (b.x - a.x), a.y + share * (b.y - a.y)});
    }
  });
}

double commonArea(const RotatedBox& a, const RotatedBox& b) {
  const Axes axes(a);
  Polygon polygon, other;
  for (const Corner& corner : cornersOf(b)) polygon.add(axes.to(corner));
  for (const double sign : {-1.0, 1.0}) {
    cut(polygon, &Corner::x, sign, a.width / 2.0, other);
    cut(other, &Corner::y, sign, a.height / 2.0, polygon);
  }
  double twice = 0;
  polygon.forSides([&](const Corner& p, const Corner& q) { twice += p.x * q.y - q.x * p.y; });
  return std::abs(twice) / 2;
}

}  // namespace

std::array<Corner, 4> cornersOf(const RotatedBox& box) {
  const Axes axes(box);
  const double x = box.width / 2.0, y = box.height / 2.0;
  return {axes.from({-x, -y}), axes.from({x, -y}), axes.from({x, y}), axes.from({-x, y})};
}

RotatedBox RotatedBox::scaled(double x, double y) const {
  const double cosine = std::cos(angle), sine = std::sin(angle);
  return {static_cast<float>(centreX * x), static_cast<float>(centreY * y),
          static_cast<float>(width * std::hypot(cosine * x, sine * y)),
          static_cast<float>(height * std::hypot(sine * x, cosine * y)),
          x == y ? angle : static_cast<float>(std::atan2(sine * y, cosine * x))};
}

Box extentIn(const RotatedBox& axes, const RotatedBox& box) {
  const Corner centre = Axes(axes).to({box.centreX, box.centreY});
  return RotatedBox{static_cast<float>(centre.x), static_cast<float>(centre.y), box.width,
                    box.height, box.angle - axes.angle}
      .hull();
}

RotatedBox unite(const RotatedBox& a, const RotatedBox& b) {
  const bool first = a.area() >= b.area();
  const RotatedBox &larger = first ? a : b, &smaller = first ? b : a;
  const Box around = unite(extentIn(larger, larger), extentIn(larger, smaller));
  const Corner centre = Axes(larger).from({around.centreX(), around.centreY()});
  return {static_cast<float>(centre.x), static_cast<float>(centre.y), around.width(),
          around.height(), larger.angle};
}

Overlap overlapOf(const RotatedBox& a, const RotatedBox& b) {
  const double smaller = std::min(a.area(), b.area());
  if (!(smaller > 0)) return {};
  const double common = std::min(commonArea(a, b), smaller);
  return {common / (a.area() + b.area() - common), common / smaller};
}

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
  // With kTiny, the result for distant boxes would be a little below 0.
  return std::max(0.0, 1 - std::sqrt(1 - std::exp(-std::clamp(distance, kTiny, 100.0)) + kTiny));
}

}  // namespace elf
