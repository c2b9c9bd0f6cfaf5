// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/capacity/cost_estimator.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace elf {

namespace {

/** a1, b, a2 and c: work for each request and pixel, link for each request and byte. */
constexpr std::size_t kTerms = 4;
using Terms = std::array<double, kTerms>;

/** What the seconds of a sample measure. */
enum class Of { Work, Link, Both };

/** A cost sample: the terms, each times its count in `x`, took `seconds` together. */
struct Point {
  Of of = Of::Both;
  Terms x{};
  double seconds = 0;
  /** The scale of its errors: about the expected seconds. */
  double expected = 0;
};

/** The samples of a whole window, at most two for each answer. */
struct Points {
  std::array<Point, 2 * CostEstimator::kWindow> all;
  std::size_t count = 0;

  void add(Of of, const Terms& x, double seconds) { all[count++] = {of, x, seconds}; }
  std::span<Point> span() { return {all.data(), count}; }
};

// How the default model's seconds for each request are shared between server and link.
constexpr Terms kDefault{0.8 * CostModel().a, CostModel().b, 0.2 * CostModel().a, CostModel().c};
/** Smaller errors are a matter of clocks and threads. */
constexpr double kLeastSeconds = 1e-4;
/** Huber's bound. */
constexpr double kFullError = 0.25;
/** The pull towards an estimate that rests on a whole window, as a share of a sample's. */
constexpr double kPull = 0.01;
/** The share of the whole that a term may easily grow to, however small its estimate was. */
constexpr double kLeastShare = 0.3;

double dot(const Terms& a, const Terms& b) {
  double sum = 0;
  for (std::size_t j = 0; j < kTerms; ++j) sum += a[j] * b[j];
  return sum;
}

Points pointsOf(std::span<const AnswerCost> answers) {
  Points points;
  for (const AnswerCost& answer : answers) {
    if (answer.work) {
      points.add(Of::Work, {1, answer.pixels, 0, 0}, *answer.work);
      points.add(Of::Link, {0, 0, 1, answer.bytes}, answer.seconds - *answer.work);
    } else {
      points.add(Of::Both, {1, answer.pixels, 1, answer.bytes}, answer.seconds);
    }
  }
  return points;
}

/** The median ratio of measured to expected seconds, over the samples that cover `of`; 1 without
 * any. */
double medianExcess(std::span<const Point> points, Of of, const Terms& believed) {
  std::array<double, CostEstimator::kWindow> excess;
  std::size_t count = 0;
  for (const Point& point : points)
    if (point.of == of || point.of == Of::Both)
      excess[count++] = point.seconds / std::max(dot(believed, point.x), kLeastSeconds);
  if (count == 0) return 1;
  const auto middle = excess.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(excess.begin(), middle, excess.begin() + static_cast<std::ptrdiff_t>(count));
  return *middle;
}

/** The target of the pull: `believed`, with work and link scaled to the samples. */
Terms scaled(Terms believed, std::span<const Point> points) {
  const double work = medianExcess(points, Of::Work, believed);
  const double link = medianExcess(points, Of::Link, believed);
  for (std::size_t j = 0; j < kTerms; ++j) believed[j] *= j < 2 ? work : link;
  return believed;
}

/**
 * Minimizes v' A v / 2 - g' v over all v >= 0. Begins at `v`, and ends there in directions that A
 * hardly determines.
 */
void minimize(const std::array<Terms, kTerms>& a, const Terms& g, Terms& v) {
  constexpr int kSteps = 30;
  for (int step = 0; step < kSteps; ++step)
    for (std::size_t j = 0; j < kTerms; ++j)
      v[j] = std::max(0.0, v[j] + (g[j] - dot(a[j], v)) / a[j][j]);
}

Terms fit(Points& points, const Terms& believed) {
  const Terms target = scaled(believed, points.span());
  // Scales each term by a likely size, and each sample by its expected seconds.
  Terms sum{}, size{};
  double expected = 0;
  for (Point& point : points.span()) {
    point.expected = std::max(dot(target, point.x), kLeastSeconds);
    expected += point.expected;
    for (std::size_t j = 0; j < kTerms; ++j) sum[j] += point.x[j];
  }
  const double least = kLeastShare * expected;
  for (std::size_t j = 0; j < kTerms; ++j)
    size[j] = std::max(target[j], sum[j] > 0 ? least / sum[j] : 1);

  Terms start{};
  for (std::size_t j = 0; j < kTerms; ++j) start[j] = target[j] / size[j];
  const auto count = static_cast<double>(points.count);
  const double pull = kPull * count * count / CostEstimator::kWindow;
  Terms found = start;
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    std::array<Terms, kTerms> a{};
    Terms g{};
    for (std::size_t j = 0; j < kTerms; ++j) {
      a[j][j] = pull;
      g[j] = pull * start[j];
    }
    for (const Point& point : points.span()) {
      Terms x{};
      for (std::size_t j = 0; j < kTerms; ++j) x[j] = point.x[j] * size[j] / point.expected;
      const double y = point.seconds / point.expected;
      const double weight = kFullError / std::max(kFullError, std::abs(y - dot(x, found)));
      for (std::size_t j = 0; j < kTerms; ++j) {
        for (std::size_t k = 0; k < kTerms; ++k) a[j][k] += weight * x[j] * x[k];
        g[j] += weight * x[j] * y;
      }
    }
    minimize(a, g, found);
  }
  for (std::size_t j = 0; j < kTerms; ++j) found[j] *= size[j];
  return found;
}

}  // namespace

bool differNoticeably(const CostModel& a, const CostModel& b) {
  constexpr double kBytesPerPixel = 0.25;  // a JPEG's
  return std::ranges::any_of(std::array{5e4, 5e5}, [&](double pixels) {
    const double ours = a.seconds(pixels, kBytesPerPixel * pixels);
    const double theirs = b.seconds(pixels, kBytesPerPixel * pixels);
    return std::abs(ours - theirs) > theirs / 3;
  });
}

CostEstimator::CostEstimator() : believed_(kDefault) {}

void CostEstimator::add(const AnswerCost& answer) {
  const auto possible = [](double value) { return std::isfinite(value) && value >= 0; };
  if (!(answer.pixels > 0) || !possible(answer.pixels) || !possible(answer.bytes) ||
      !possible(answer.seconds) || !possible(answer.work.value_or(0)) ||
      answer.work.value_or(0) > answer.seconds)
    return;
  window_[answers_ % kWindow] = answer;
  ++answers_;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(answers_, kWindow));
  Points points = pointsOf({window_.data(), count});
  const Terms found = fit(points, believed_);
  for (std::size_t j = 0; j < kTerms; ++j)
    believed_[j] += (found[j] - believed_[j]) / static_cast<double>(count);
  model_ = {.a = found[0] + found[2], .b = found[1], .c = found[3]};
}

}  // namespace elf
