// SPDX-License-Identifier: LGPL-2.1-or-later
// The agreement of detections with a reference: another run of the model, or the truth.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "elf/types/detection.h"

namespace elf::eval {

/** Indices of two boxes that are taken as one object. */
struct Pair {
  std::size_t a = 0;
  std::size_t b = 0;

  bool operator==(const Pair&) const = default;
};

/**
 * One-to-one pairs of detections of the same class with an intersection over union of at least
 * `minIou`, highest first. Of equal ones the pair with the smaller sum of indices is first.
 * Swapping `a` and `b` swaps the pairs and changes nothing else. A coasted detection gets no
 * partner, because no server returned it. Pairs are in the order in which they were made.
 */
std::vector<Pair> matchDetections(std::span<const Detection> a, std::span<const Detection> b,
                                  double minIou);

/** Counts over some frames. */
struct Counts {
  /** Detections of the reference, and how many of them have a partner. */
  std::size_t reference = 0;
  std::size_t referenceMatched = 0;
  /** Judged detections, and how many of them have a partner. */
  std::size_t found = 0;
  std::size_t foundMatched = 0;

  bool operator==(const Counts&) const = default;
  Counts& operator+=(const Counts& other);
};

/** Each 0..1. */
struct Figures {
  double precision = 1;
  double recall = 1;
  /** Harmonic mean of the two. 0 if both are 0. */
  double f1 = 1;
};

/**
 * Precision is the share of found detections that have a partner, recall that of the reference. A
 * share of nothing is 1: an empty reference and nothing found agree fully. If only one side is
 * empty, the other side's share, and with it F1, is 0.
 */
Figures figures(const Counts& counts);

/**
 * The plain comparison of one frame: all detections of at least `minScore` on both sides. A coasted
 * detection counts as found and never has a partner.
 */
Counts comparePlain(std::span<const Detection> reference, std::span<const Detection> found,
                    double minIou, float minScore);

/**
 * The confident comparison of one frame. Recall: the reference's detections of at least `sureScore`
 * need partners among the found ones of at least `minScore`. Precision: the found detections of at
 * least `sureScore` need partners among the reference's of at least `minScore`. So a score that
 * flickers around one threshold changes nothing.
 */
Counts compareConfident(std::span<const Detection> reference, std::span<const Detection> found,
                        double minIou, float minScore, float sureScore);

/** Means over pairs of detections. Unset if no detection of the reference has any. */
struct ShapeFigures {
  /** Intersection over union of masks, 0..1. */
  std::optional<double> maskIou;
  /** Object-keypoint similarity, 0..1 (elf/geometry/keypoint.h), of those with a visible joint. */
  std::optional<double> oks;
};

/** The similarity of the masks and joints of detections that are taken as one object. */
class ShapeComparison {
 public:
  /**
   * Adds a frame: detections of the reference of at least `sureScore`, and their partners among the
   * found ones of at least `minScore`. A partner without mask or joints has the similarity 0.
   */
  void add(std::span<const Detection> reference, std::span<const Detection> found, double minIou,
           float minScore, float sureScore);

  ShapeFigures figures() const;

 private:
  struct Mean {
    double sum = 0;
    std::size_t count = 0;
    void add(double value) {
      sum += value;
      ++count;
    }
    std::optional<double> value() const {
      if (count == 0) return std::nullopt;
      return sum / static_cast<double>(count);
    }
  };

  Mean maskIou_, oks_;
};

struct TruthFigures : Figures {
  /** Average precision, 0..1. */
  double ap = 1;
};

/**
 * Compares detections with the truth, over all added frames. The truth has no classes: the caller
 * passes only detections of its class.
 *
 * Detections of all frames are sorted by falling score (of equal ones, first added first). Each in
 * turn gets the free truth box of its frame with the highest intersection over union, if that is at
 * least `minIou`. Otherwise it is false, but if an ignored box overlaps it by `minIou`, it is not
 * counted at all. Precision, recall and F1 are those of all detections together. AP is the area
 * under the curve of precision over recall in this order, with each precision replaced by the
 * highest at any greater recall (all-point interpolation). Without truth AP is 1 if nothing was
 * found, and 0 otherwise.
 */
class TruthComparison {
 public:
  explicit TruthComparison(double minIou) : minIou_(minIou) {}

  /** Adds a frame. Coasted detections are false. */
  void add(std::span<const Box> truth, std::span<const Box> ignored,
           std::span<const Detection> found);

  TruthFigures figures() const;

 private:
  struct Found {
    float score = 0;
    bool right = false;
  };

  double minIou_;
  std::size_t truth_ = 0;
  std::vector<Found> found_;
};

}  // namespace elf::eval
