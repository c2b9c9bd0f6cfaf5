// SPDX-License-Identifier: LGPL-2.1-or-later
// How well detections agree with a reference: another run of the model, or the truth.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "elf/types/detection.h"

namespace elf::eval {

/** Indices of two boxes that were taken for the same object. */
struct Pair {
  std::size_t a = 0;
  std::size_t b = 0;

  bool operator==(const Pair&) const = default;
};

/**
 * One-to-one pairs of detections of the same class whose intersection over union is at least
 * `minIou`, highest first; of equal ones the pair with the smaller sum of indices. Swapping `a` and
 * `b` swaps the pairs and changes nothing else. A coasted detection finds no partner: no server
 * returned it. Pairs come in the order in which they were made.
 */
std::vector<Pair> matchDetections(std::span<const Detection> a, std::span<const Detection> b,
                                  double minIou);

/** What was counted over some frames. */
struct Counts {
  /** Detections of the reference, and how many of them have a partner. */
  std::size_t reference = 0;
  std::size_t referenceMatched = 0;
  /** Detections that are judged, and how many of them have a partner. */
  std::size_t found = 0;
  std::size_t foundMatched = 0;

  bool operator==(const Counts&) const = default;
  Counts& operator+=(const Counts& other);
};

/** Each 0..1. */
struct Figures {
  double precision = 1;
  double recall = 1;
  /** Harmonic mean of the two, 0 where both are 0. */
  double f1 = 1;
};

/**
 * Precision is the share of found, recall the share of the reference that has a partner. A share of
 * nothing is 1: nothing in the reference and nothing found agree fully, and where only one side is
 * empty the other side's share, and with it F1, is 0.
 */
Figures figures(const Counts& counts);

/**
 * The plain comparison of one frame: all detections of at least `minScore` on both sides. A
 * detection that coasts counts as found and never has a partner.
 */
Counts comparePlain(std::span<const Detection> reference, std::span<const Detection> found,
                    double minIou, float minScore);

/**
 * The confident comparison of one frame. Recall: the reference's detections of at least `sureScore`
 * look for partners among the found ones of at least `minScore`. Precision: the found detections of
 * at least `sureScore` look for partners among the reference's of at least `minScore`. A score that
 * flickers around one threshold thus changes nothing.
 */
Counts compareConfident(std::span<const Detection> reference, std::span<const Detection> found,
                        double minIou, float minScore, float sureScore);

/** Means over pairs of detections; unset where no detection of the reference has any. */
struct ShapeFigures {
  /** Intersection over union of masks, 0..1. */
  std::optional<double> maskIou;
  /** Object-keypoint similarity, 0..1 (elf/geometry/keypoint.h), of those of which a joint is seen.
   */
  std::optional<double> oks;
};

/** How alike the masks and the joints of those are that are taken for the same object. */
class ShapeComparison {
 public:
  /**
   * The next frame: detections of the reference of at least `sureScore`, and their partners among
   * the found ones of at least `minScore`. A partner without mask or joints is not alike at all.
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
 * Compares detections with the truth, over all frames that are added. The truth has no classes:
 * the caller passes only detections of the class that it is about.
 *
 * Detections of all frames are sorted by falling score (of equal ones, first added first). Each in
 * turn takes the truth box of its frame, not yet taken, with which its intersection over union is
 * highest, if that is at least `minIou`; else it is false, unless a box to be ignored overlaps it
 * by `minIou`: then it is not counted at all. Precision, recall and F1 are those of all detections
 * together. AP is the area under the curve of precision over recall that this order draws, each
 * precision replaced by the highest at any greater recall (all-point interpolation). Without truth
 * AP is 1 where nothing was found, and 0 otherwise.
 */
class TruthComparison {
 public:
  explicit TruthComparison(double minIou) : minIou_(minIou) {}

  /** The next frame. Coasted detections are false. */
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
