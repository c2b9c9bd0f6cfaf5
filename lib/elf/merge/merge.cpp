// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/merge/merge.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>

#include "elf/merge/absorb.h"

namespace elf {

namespace {

// Two boxes of one class from different parts are one object from this overlap on. For an LRC,
// whose boxes are coarse, less is enough.
constexpr double kSameIou = 0.45;
constexpr double kSameIouLrc = 0.3;
// From this overlap on, a box cut off by the border of its part is a piece of another part's whole
// box.
constexpr double kPieceShare = 0.6;
// A cut piece of an object at an angle fills as little as half of its own rotated box.
constexpr double kRotatedPieceShare = 0.4;
// The distance to the border of its part at which a box counts as cut off: in pixels, and in parts
// of its side, since a network does not end a piece's box exactly where the picture ends.
constexpr float kBorder = 2;
constexpr float kBorderShare = 0.06F;
// Two pieces of one object agree along the border that cuts it by at least this.
constexpr float kSamePieces = 0.5F;
// Joints from two parts belong to one object from this similarity on, if at least kFewestJoints are
// seen in both.
constexpr double kSameJoints = 0.7;
constexpr std::size_t kFewestJoints = 2;
// From this overlap on, a piece is the object that an RP expects.
constexpr double kExpectedIou = 0.5;

/** The sides on which a box ends at a border of its part that is inside the frame. */
struct Cuts {
  bool left = false, top = false, right = false, bottom = false;
  bool any() const { return left || top || right || bottom; }
};

struct Found {
  Detection detection;
  std::size_t part = 0;
  PartKind kind = PartKind::Full;
  Cuts cuts;
};

float borderOf(float side) {
  return std::max(kBorder, kBorderShare * side);
}

Cuts cutsOf(const Box& box, const Rect& part, Size frame) {
  const Box edges = toBox(part);
  const float x = borderOf(box.width());
  const float y = borderOf(box.height());
  return {.left = part.x > 0 && box.x0 - edges.x0<x, .top = part.y> 0 && box.y0 - edges.y0 < y,
          .right = part.right() < frame.width && edges.x1 - box.x1 < x,
          .bottom = part.bottom() < frame.height && edges.y1 - box.y1 < y};
}

// Whether the part contains the box, and shows it no coarser than the LRC.
bool showsWhole(const Part& part, const Box& box, const Part& lrc) {
  const Box edges = toBox(part.rect);
  return part.kind != PartKind::Lrc && part.scale >= lrc.scale && box.x0 >= edges.x0 &&
         box.y0 >= edges.y0 && box.x1 <= edges.x1 && box.y1 <= edges.y1;
}

bool isSeenBetter(const Box& box, const Part& lrc, const FrameRecord& record) {
  for (std::size_t i = 0; i < record.answers.size(); ++i)
    if (record.answers[i].state == AnswerState::Answered &&
        showsWhole(record.plan->parts[i], box, lrc))
      return true;
  return false;
}

/** Converts from pixels of a part as sent to pixels of the frame. */
class ToFrame {
 public:
  ToFrame(const Part& part, Size frame)
      : rect_(part.rect),
        frame_(frame),
        unscaled_(part.sentSize() == part.rect.size()),
        sx_(static_cast<float>(part.rect.width) / static_cast<float>(part.sentSize().width)),
        sy_(static_cast<float>(part.rect.height) / static_cast<float>(part.sentSize().height)) {}

  Box box(const Box& sent) const {
    return clip(
        shift(scaled(sent, sx_, sy_), static_cast<float>(rect_.x), static_cast<float>(rect_.y)),
        frame_);
  }
  Keypoint joint(const Keypoint& sent) const {
    return {sent.x * sx_ + static_cast<float>(rect_.x), sent.y * sy_ + static_cast<float>(rect_.y),
            sent.visibility};
  }
  RotatedBox rotated(const RotatedBox& sent) const {
    return sent.scaled(sx_, sy_).shifted(static_cast<float>(rect_.x), static_cast<float>(rect_.y));
  }
  /** The mask over `rect`, which is in pixels of the frame. */
  Mask mask(const Mask& sent, const Rect& rect) const {
    if (unscaled_) return sent.shifted(rect_.x, rect_.y).over(rect);
    return sent.resampled(sx_, sy_, {rect.x - rect_.x, rect.y - rect_.y, rect.width, rect.height})
        .shifted(rect_.x, rect_.y);
  }

 private:
  Rect rect_;
  Size frame_;
  bool unscaled_;
  float sx_, sy_;
};

/** Selects the kMostBoxes strongest detections of all answers. Of equal ones, the first. */
class Strongest {
 public:
  explicit Strongest(std::span<const PartAnswer> answers) {
    std::vector<float> scores;
    for (const PartAnswer& answer : answers)
      for (const Detection& detection : answer.detections) scores.push_back(detection.score);
    if (scores.size() <= kMostBoxes) return;
    const auto last = scores.begin() + kMostBoxes - 1;
    std::nth_element(scores.begin(), last, scores.end(), std::greater());
    least_ = *last;
    equal_ = static_cast<std::size_t>(std::count(scores.begin(), last + 1, least_));
  }

  /** Call it once for each detection. */
  bool takes(const Detection& detection) {
    if (detection.score != least_) return detection.score > least_;
    return equal_ > 0 && equal_-- > 0;
  }

 private:
  float least_ = -std::numeric_limits<float>::infinity();
  /** The number of detections with the score `least_` that may still be taken. */
  std::size_t equal_ = 0;
};

std::vector<Found> inFramePixels(const FrameRecord& record) {
  std::vector<Found> all;
  Strongest strongest(record.answers);
  // Masks of a scaled-down part grow: a few bytes from a server must not fill the memory.
  double maskPixels = 0;
  for (std::size_t i = 0; i < record.answers.size(); ++i) {
    const Part& part = record.plan->parts[i];
    const ToFrame toFrame(part, record.size);
    for (const Detection& sent : record.answers[i].detections) {
      if (!strongest.takes(sent)) continue;
      const Box box = toFrame.box(sent.box);
      if (box.empty()) continue;
      if (part.kind == PartKind::Lrc && isSeenBetter(box, part, record)) continue;
      Detection detection = sent;
      detection.box = box;
      detection.server = record.answers[i].server;
      for (Keypoint& joint : detection.keypoints) joint = toFrame.joint(joint);
      if (sent.rotated) detection.rotated = toFrame.rotated(*sent.rotated);
      if (sent.mask) {
        const Rect rect = roundOutwards(box, record.size);
        maskPixels += rect.area();
        detection.mask = maskPixels <= kMaxMaskPixels
                             ? std::optional(toFrame.mask(*sent.mask, rect))
                             : std::nullopt;
      }
      const Cuts cuts = cutsOf(box, part.rect, record.size);
      all.push_back({std::move(detection), i, part.kind, cuts});
    }
  }
  // Each as from a part of its own.
  const std::vector<Detection>& kept = record.plan->kept;
  for (std::size_t i = 0; i < kept.size(); ++i)
    all.push_back({kept[i], record.plan->parts.size() + i, PartKind::Rp, {}});
  return all;
}

// Whole boxes before pieces, fine before coarse, strong before weak: of two boxes of one object the
// first stays.
bool goesFirst(const Found& a, const Found& b) {
  if (a.cuts.any() != b.cuts.any()) return b.cuts.any();
  const bool coarse = b.kind == PartKind::Lrc;
  if ((a.kind == PartKind::Lrc) != coarse) return coarse;
  return a.detection.score > b.detection.score;
}

bool areOfOneClass(const Found& a, const Found& b) {
  return a.detection.labelId == b.detection.labelId;
}

bool haveSameJoints(const Detection& a, const Detection& b) {
  if (a.keypoints.empty() || intersect(a.box, b.box).empty()) return false;
  std::size_t common = 0;
  for (std::size_t i = 0; i < std::min(a.keypoints.size(), b.keypoints.size()); ++i)
    if (isSeen(a.keypoints[i]) && isSeen(b.keypoints[i])) ++common;
  if (common < kFewestJoints) return false;
  const double area = kObjectOfBox * std::min(a.box.area(), b.box.area());
  // One of them may be a piece with fewer joints.
  return std::max(similarity(a.keypoints, b.keypoints, area),
                  similarity(b.keypoints, a.keypoints, area)) >= kSameJoints;
}

bool areRotated(const Detection& a, const Detection& b) {
  return a.rotated && b.rotated;
}

// Intersection over union of two intervals.
float agreement(float a0, float a1, float b0, float b1) {
  const float common = std::min(a1, b1) - std::max(a0, b0);
  return common <= 0 ? 0 : common / (std::max(a1, b1) - std::min(a0, b0));
}
float agreementInX(const Box& a, const Box& b) {
  return agreement(a.x0, a.x1, b.x0, b.x1);
}
float agreementInY(const Box& a, const Box& b) {
  return agreement(a.y0, a.y1, b.y0, b.y1);
}

// How far the box around a piece agrees with another one along a border that cuts the piece.
float agreementAlongCut(const Found& piece, const Box& box) {
  const Cuts& cuts = piece.cuts;
  const Box& own = piece.detection.box;
  return std::max(cuts.left || cuts.right ? agreementInY(own, box) : 0,
                  cuts.top || cuts.bottom ? agreementInX(own, box) : 0);
}

// How much of each of two boxes, upright or rotated, is inside the other one.
struct Shares {
  double iou = 0, ofFirst = 0, ofSecond = 0;
};

Shares sharesOf(const Detection& a, const Detection& b) {
  const auto over = [](double common, double area) { return area > 0 ? common / area : 0; };
  if (!areRotated(a, b)) {
    const double common = intersect(a.box, b.box).area();
    return {iou(a.box, b.box), over(common, a.box.area()), over(common, b.box.area())};
  }
  // Objects side by side at an angle share much of their upright boxes.
  const double areaA = a.rotated->area(), areaB = b.rotated->area();
  const Overlap overlap = overlapOf(*a.rotated, *b.rotated);
  const double common = overlap.overSmaller * std::min(areaA, areaB);
  return {overlap.iou, over(common, areaA), over(common, areaB)};
}

// How well two boxes fit as those of one object, from 0, not at all, to 1. A piece is inside the
// other box, or covers it and agrees with it along a border that cuts one of them. If it covers a
// smaller box, that is another object in front.
double sameness(const Found& kept, const Found& other) {
  const Detection &a = kept.detection, &b = other.detection;
  const double same = other.kind == PartKind::Lrc ? kSameIouLrc : kSameIou;
  const double piece = areRotated(a, b) ? kRotatedPieceShare : kPieceShare;
  const Shares shares = sharesOf(a, b);
  const double fit = shares.iou >= same || haveSameJoints(a, b) ? std::max(shares.iou, same) : 0;
  if (!other.cuts.any()) return fit;
  const float along = std::max(agreementAlongCut(kept, b.box), agreementAlongCut(other, a.box));
  // A piece of another class inside the box may be another object in front.
  const bool inside =
      shares.ofSecond >= piece && (areOfOneClass(kept, other) || along >= kSamePieces);
  const bool covers = shares.ofFirst >= piece && along >= kSamePieces;
  return inside || covers ? std::max(fit, std::max(shares.ofFirst, shares.ofSecond) * along) : fit;
}

// How well one continues where the other one ends, along either side of the larger one. 0: not.
float goOn(const RotatedBox& a, const RotatedBox& b) {
  const RotatedBox& larger = a.area() >= b.area() ? a : b;
  const Box one = extentIn(larger, a), other = extentIn(larger, b);
  constexpr Sides kApart{kBorder, kBorder, kBorder, kBorder};
  if (intersect(grow(one, kApart), other).empty()) return 0;
  return std::max(agreementInX(one, other), agreementInY(one, other));
}

// How well two pieces on a border fit, which agree by `along` if they are upright. 0: not.
float fitOfPieces(const Detection& a, const Detection& b, float along) {
  const float fit = areRotated(a, b) ? goOn(*a.rotated, *b.rotated) : along;
  return fit >= kSamePieces ? fit : 0;
}

// How well they fit as the pieces of an object on the border between two neighbouring parts:
// `first` is left of or above `second`. 0: not.
float fitSideBySide(const Found& first, const Found& second) {
  const Detection &a = first.detection, &b = second.detection;
  const bool meet =
      first.cuts.right && second.cuts.left && a.box.x0 <= b.box.x0 && b.box.x0 <= a.box.x1;
  return meet ? fitOfPieces(a, b, agreementInY(a.box, b.box)) : 0;
}
float fitStacked(const Found& first, const Found& second) {
  const Detection &a = first.detection, &b = second.detection;
  const bool meet =
      first.cuts.bottom && second.cuts.top && a.box.y0 <= b.box.y0 && b.box.y0 <= a.box.y1;
  return meet ? fitOfPieces(a, b, agreementInX(a.box, b.box)) : 0;
}

// Combines both in `into`.
void uniteInto(Detection& into, const Detection& other) {
  into.box = unite(into.box, other.box);
  into.keypoints = unite(into.keypoints, other.keypoints);
  if (areRotated(into, other))
    into.rotated = unite(*into.rotated, *other.rotated);
  else
    into.rotated.reset();
  if (!into.mask && !other.mask) return;
  const Mask none;
  into.mask = unite(into.mask.value_or(none), other.mask.value_or(none), roundOutwards(into.box));
}

// Whether two joined pieces end at a border on a side. The one that reaches further decides. If
// both reach as far, both must end there.
bool isCutOnOneSide(bool cutA, float reachA, bool cutB, float reachB, float border) {
  if (std::abs(reachA - reachB) < border) return cutA && cutB;
  return reachA > reachB ? cutA : cutB;
}

Cuts cutsSideBySide(const Found& first, const Found& second) {
  const Box &a = first.detection.box, &b = second.detection.box;
  const float border = borderOf(std::max(a.height(), b.height()));
  return {.left = first.cuts.left,
          .top = isCutOnOneSide(first.cuts.top, -a.y0, second.cuts.top, -b.y0, border),
          .right = second.cuts.right,
          .bottom = isCutOnOneSide(first.cuts.bottom, a.y1, second.cuts.bottom, b.y1, border)};
}
Cuts cutsStacked(const Found& first, const Found& second) {
  const Box &a = first.detection.box, &b = second.detection.box;
  const float border = borderOf(std::max(a.width(), b.width()));
  return {.left = isCutOnOneSide(first.cuts.left, -a.x0, second.cuts.left, -b.x0, border),
          .top = first.cuts.top,
          .right = isCutOnOneSide(first.cuts.right, a.x1, second.cuts.right, b.x1, border),
          .bottom = second.cuts.bottom};
}

// Makes `one` the object of both pieces. False if they are not pieces of one object.
bool joinPieces(Found& one, const Found& other) {
  if (fitSideBySide(one, other) > 0)
    one.cuts = cutsSideBySide(one, other);
  else if (fitSideBySide(other, one) > 0)
    one.cuts = cutsSideBySide(other, one);
  else if (fitStacked(one, other) > 0)
    one.cuts = cutsStacked(one, other);
  else if (fitStacked(other, one) > 0)
    one.cuts = cutsStacked(other, one);
  else
    return false;
  uniteInto(one.detection, other.detection);
  return true;
}

// How well both fit as the same object or pieces of it. 0: not.
double fitOf(const Found& one, const Found& other, bool acrossClasses) {
  if (one.part == other.part || !(acrossClasses || areOfOneClass(one, other))) return 0;
  const float pieces = std::max({fitSideBySide(one, other), fitSideBySide(other, one),
                                 fitStacked(one, other), fitStacked(other, one)});
  return std::max<double>(pieces, sameness(one, other));
}

// Takes `other` into `one`, which fits.
void absorb(Found& one, const Found& other, MergeMode mode) {
  if (!joinPieces(one, other) && mode == MergeMode::Nmm) uniteInto(one.detection, other.detection);
}

// Boxes that do not touch are neither one object nor pieces of one.
std::vector<Found> mergeOverlapping(std::vector<Found> found, const MergeOptions& options) {
  std::stable_sort(found.begin(), found.end(), goesFirst);
  return absorbed(
      std::move(found), [](const Found& one) -> const Box& { return one.detection.box; },
      [&](const Found& one, const Found& other) {
        return fitOf(one, other, options.acrossClasses);
      },
      [&](Found& one, const Found& other) { absorb(one, other, options.mode); });
}

bool isExpected(const Box& box, const FrameRecord& record) {
  return record.rps && std::ranges::any_of(*record.rps, [&](const Rp& rp) {
           return iou(rp.expected, box) >= kExpectedIou;
         });
}

// Where the whole object of a piece may be: as far again on the sides where it was cut.
Rect aroundPiece(const Found& piece, Size frame) {
  const Box& box = piece.detection.box;
  return roundOutwards(
      grow(box, {piece.cuts.left ? box.width() : 0, piece.cuts.top ? box.height() : 0,
                 piece.cuts.right ? box.width() : 0, piece.cuts.bottom ? box.height() : 0}),
      frame);
}

// At least one server answered, or an empty plan requested nothing.
bool wasLookedAt(const FrameRecord& record) {
  if (record.skipped || !record.plan) return false;
  return record.plan->parts.empty() ||
         std::any_of(record.answers.begin(), record.answers.end(), [](const PartAnswer& answer) {
           return answer.state == AnswerState::Answered;
         });
}

// RPs whose part got no answer. If no part holds an RP whole, a part that it reaches into.
std::vector<const Rp*> unansweredRps(const FrameRecord& record) {
  if (!record.rps) return {};
  const std::vector<Part>& parts = record.plan->parts;
  const auto answered = [&](std::size_t part) {
    return record.answers[part].state == AnswerState::Answered;
  };
  enum Fate { NoPart, Answered, Unanswered };
  std::vector<Fate> fates(record.rps->size(), NoPart);
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (const int rp : parts[i].rps)
      fates[static_cast<std::size_t>(rp)] = answered(i) ? Answered : Unanswered;
  std::vector<const Rp*> unanswered;
  for (std::size_t r = 0; r < fates.size(); ++r) {
    const Rp& rp = (*record.rps)[r];
    for (std::size_t i = 0; fates[r] == NoPart && i < parts.size(); ++i)
      if (!answered(i) && !intersect(toBox(parts[i].rect), rp.box).empty()) fates[r] = Unanswered;
    if (fates[r] == Unanswered && !rp.expected.empty()) unanswered.push_back(&rp);
  }
  return unanswered;
}

// Another part may have found it: neighbours overlap.
bool isWhatWasExpected(const Detection& detection, const Rp& rp, bool acrossClasses) {
  return (acrossClasses || detection.labelId == rp.labelId) &&
         iou(detection.box, rp.expected) >= kExpectedIou;
}

Detection coasted(const Rp& rp) {
  return {.box = rp.expected,
          .score = rp.score,
          .labelId = rp.labelId,
          .label = rp.label,
          .id = rp.id,
          .coasted = true,
          .seen = rp.seen};
}

void sortByScore(std::vector<Detection>& detections) {
  std::ranges::stable_sort(detections, std::ranges::greater(), &Detection::score);
}

}  // namespace

std::span<const Choice> mergeModeChoices() {
  static constexpr Choice kChoices[] = {
      {"nms", "Non-maximum suppression: the better of two boxes for one object stays as it is"},
      {"nmm", "Non-maximum merging: two boxes for one object become the box around both"},
  };
  return kChoices;
}

void mergeAnswers(FrameRecord& record, const MergeOptions& options) {
  std::vector<Detection>& detections = record.detections;
  detections.clear();
  record.cut.clear();
  if (record.skipped) {
    if (record.rps)
      for (const Rp& rp : *record.rps)
        if (!rp.expected.empty()) detections.push_back(coasted(rp));
    sortByScore(detections);
    return;
  }
  if (!record.plan || record.answers.size() != record.plan->parts.size()) return;

  for (Found& one : mergeOverlapping(inFramePixels(record), options)) {
    if (one.cuts.any() && !isExpected(one.detection.box, record)) {
      record.cut.push_back(aroundPiece(one, record.size));
      if (one.kind == PartKind::Rp || one.kind == PartKind::Scan) continue;
    }
    detections.push_back(std::move(one.detection));
  }

  if (detections.size() > kMostDetections) {
    sortByScore(detections);
    detections.resize(kMostDetections);
  }
  const std::size_t found = detections.size();
  for (const Rp* rp : unansweredRps(record))
    if (std::none_of(detections.begin(), detections.begin() + static_cast<std::ptrdiff_t>(found),
                     [&](const Detection& detection) {
                       return isWhatWasExpected(detection, *rp, options.acrossClasses);
                     }))
      detections.push_back(coasted(*rp));
  sortByScore(detections);
}

void addMissed(FrameRecord& record) {
  if (!record.rps) return;
  for (const Rp& rp : *record.rps)
    if (rp.id != kNoIdentity &&
        std::ranges::find(record.detections, rp.id, &Detection::id) == record.detections.end())
      record.detections.push_back(coasted(rp));
  sortByScore(record.detections);
}

Feedback feedbackOf(const FrameRecord& record) {
  Feedback feedback{.id = record.id,
                    .when = record.when,
                    .size = record.size,
                    .looked = wasLookedAt(record),
                    .detections = record.detections,
                    .sureScore = record.capacity ? record.capacity->rules.sureScore : 0,
                    .unseen = record.cut};
  if (!record.plan) return feedback;
  for (std::size_t i = 0; i < record.plan->parts.size(); ++i) {
    const Part& part = record.plan->parts[i];
    const bool answered =
        i < record.answers.size() && record.answers[i].state == AnswerState::Answered;
    // The next LRC makes up for a lost one. In full resolution it would be too much.
    if (!answered && part.kind != PartKind::Lrc) feedback.unseen.push_back(part.rect);
  }
  return feedback;
}

}  // namespace elf
