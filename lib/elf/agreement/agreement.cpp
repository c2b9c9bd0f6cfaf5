// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/agreement/agreement.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace elf::eval {

namespace {

std::vector<Detection> atLeast(std::span<const Detection> detections, float score) {
  std::vector<Detection> kept;
  for (const Detection& detection : detections)
    if (detection.score >= score) kept.push_back(detection);
  return kept;
}

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(whole);
}

double harmonicMean(double a, double b) {
  return a + b > 0 ? 2 * a * b / (a + b) : 0.0;
}

}  // namespace

std::vector<Pair> matchDetections(std::span<const Detection> a, std::span<const Detection> b,
                                  double minIou) {
  struct Candidate {
    double iou;
    Pair pair;
  };
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      if (a[i].labelId != b[j].labelId || a[i].coasted || b[j].coasted) continue;
      const double overlap = iou(a[i].box, b[j].box);
      if (overlap > 0 && overlap >= minIou) candidates.push_back({overlap, {i, j}});
    }
  }
  // Candidates that are equal in all three are (i, j) and (j, i). They share no box, so that their
  // order has no effect and a swap of the two sides changes nothing.
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& x, const Candidate& y) {
                     const auto order = [](const Candidate& c) {
                       return std::tuple(-c.iou, c.pair.a + c.pair.b, std::min(c.pair.a, c.pair.b));
                     };
                     return order(x) < order(y);
                   });
  std::vector<bool> takenA(a.size()), takenB(b.size());
  std::vector<Pair> pairs;
  for (const Candidate& candidate : candidates) {
    const Pair& pair = candidate.pair;
    if (takenA[pair.a] || takenB[pair.b]) continue;
    takenA[pair.a] = takenB[pair.b] = true;
    pairs.push_back(pair);
  }
  return pairs;
}

Counts& Counts::operator+=(const Counts& other) {
  reference += other.reference;
  referenceMatched += other.referenceMatched;
  found += other.found;
  foundMatched += other.foundMatched;
  return *this;
}

Figures figures(const Counts& counts) {
  Figures result;
  result.precision = share(counts.foundMatched, counts.found);
  result.recall = share(counts.referenceMatched, counts.reference);
  result.f1 = harmonicMean(result.precision, result.recall);
  return result;
}

Counts comparePlain(std::span<const Detection> reference, std::span<const Detection> found,
                    double minIou, float minScore) {
  return compareConfident(reference, found, minIou, minScore, minScore);
}

Counts compareConfident(std::span<const Detection> reference, std::span<const Detection> found,
                        double minIou, float minScore, float sureScore) {
  const std::vector<Detection> sureReference = atLeast(reference, sureScore);
  const std::vector<Detection> sureFound = atLeast(found, sureScore);
  return {
      .reference = sureReference.size(),
      .referenceMatched = matchDetections(sureReference, atLeast(found, minScore), minIou).size(),
      .found = sureFound.size(),
      .foundMatched = matchDetections(sureFound, atLeast(reference, minScore), minIou).size(),
  };
}

void ShapeComparison::add(std::span<const Detection> reference, std::span<const Detection> found,
                          double minIou, float minScore, float sureScore) {
  const std::vector<Detection> sure = atLeast(reference, sureScore);
  const std::vector<Detection> partners = atLeast(found, minScore);
  for (const Pair& pair : matchDetections(sure, partners, minIou)) {
    const Detection& a = sure[pair.a];
    const Detection& b = partners[pair.b];
    if (a.mask) maskIou_.add(iou(*a.mask, b.mask.value_or(Mask())));
    if (std::ranges::any_of(a.keypoints, isSeen))
      oks_.add(similarity(a.keypoints, b.keypoints, kObjectOfBox * a.box.area()));
  }
}

ShapeFigures ShapeComparison::figures() const {
  return {.maskIou = maskIou_.value(), .oks = oks_.value()};
}

void TruthComparison::add(std::span<const Box> truth, std::span<const Box> ignored,
                          std::span<const Detection> found) {
  truth_ += truth.size();
  std::vector<std::size_t> order(found.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&found](std::size_t a, std::size_t b) {
    return found[a].score > found[b].score;
  });
  std::vector<bool> taken(truth.size());
  for (const std::size_t index : order) {
    const Detection& detection = found[index];
    double best = 0;
    std::size_t partner = truth.size();
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const double overlap = iou(detection.box, truth[i]);
      if (!taken[i] && overlap >= minIou_ && overlap > best) {
        best = overlap;
        partner = i;
      }
    }
    const bool right = partner < truth.size() && !detection.coasted;
    if (right) {
      taken[partner] = true;
    } else if (std::any_of(ignored.begin(), ignored.end(),
                           [&](const Box& box) { return iou(detection.box, box) >= minIou_; })) {
      continue;
    }
    found_.push_back({detection.score, right});
  }
}

TruthFigures TruthComparison::figures() const {
  std::vector<Found> sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Found& a, const Found& b) { return a.score > b.score; });
  std::vector<double> precision;
  std::vector<bool> right;
  std::size_t matched = 0;
  for (const Found& found : sorted) {
    matched += found.right ? 1 : 0;
    right.push_back(found.right);
    precision.push_back(share(matched, right.size()));
  }
  TruthFigures result;
  result.precision = share(matched, sorted.size());
  result.recall = share(matched, truth_);
  result.f1 = harmonicMean(result.precision, result.recall);
  if (truth_ == 0) {
    result.ap = sorted.empty() ? 1 : 0;
    return result;
  }
  double highest = 0;
  double sum = 0;
  for (std::size_t i = sorted.size(); i-- > 0;) {
    highest = std::max(highest, precision[i]);
    if (right[i]) sum += highest;
  }
  result.ap = sum / static_cast<double>(truth_);
  return result;
}

}  // namespace elf::eval
