// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/merge/merge.h"

#include <algorithm>
#include <cstddef>

namespace elf {

namespace {

// Two boxes of one class from different parts are one object from this overlap on.
constexpr double kSameIou = 0.45;
// A box cut off by the border of its part is a piece of what another part sees whole.
constexpr double kPieceOverSmaller = 0.6;
// So near to the border of its part, in pixels, a box counts as cut off.
constexpr float kBorder = 2;

// Two pieces of one object agree along the border that cuts it by at least this.
constexpr float kSamePieces = 0.5F;

/** The sides on which a box ends at a border of its part that is inside the frame. */
struct Cuts {
  bool left = false, top = false, right = false, bottom = false;
  bool any() const { return left || top || right || bottom; }
};

struct Found {
  Detection detection;
  std::size_t part = 0;
  Cuts cuts;
};

Cuts cutsOf(const Box& box, const Rect& part, Size frame) {
  const Box edges = toBox(part);
  return {.left = part.x > 0 && box.x0<edges.x0 + kBorder, .top = part.y> 0 &&
                  box.y0 < edges.y0 + kBorder,
          .right = part.right() < frame.width && box.x1 > edges.x1 - kBorder,
          .bottom = part.bottom() < frame.height && box.y1 > edges.y1 - kBorder};
}

std::vector<Found> inFramePixels(const FrameRecord& record) {
  std::vector<Found> all;
  for (std::size_t i = 0; i < record.answers.size(); ++i) {
    const Part& part = record.plan->parts[i];
    const Size sent = part.sentSize();
    const float sx = static_cast<float>(part.rect.width) / static_cast<float>(sent.width);
    const float sy = static_cast<float>(part.rect.height) / static_cast<float>(sent.height);
    for (Detection detection : record.answers[i].detections) {
      const Box b = detection.box;
      const Box scaled{b.x0 * sx, b.y0 * sy, b.x1 * sx, b.y1 * sy};
      detection.box =
          clip(shift(scaled, static_cast<float>(part.rect.x), static_cast<float>(part.rect.y)),
               record.size);
      if (detection.box.empty()) continue;
      detection.server = record.answers[i].server;
      const Cuts cuts = cutsOf(detection.box, part.rect, record.size);
      all.push_back({std::move(detection), i, cuts});
    }
  }
  return all;
}

// Whole boxes before pieces, and strong before weak: of two that are one object the first stays.
bool goesFirst(const Found& a, const Found& b) {
  if (a.cuts.any() != b.cuts.any()) return b.cuts.any();
  return a.detection.score > b.detection.score;
}

bool mayBeOne(const Found& a, const Found& b) {
  return a.part != b.part && a.detection.labelId == b.detection.labelId;
}

bool sameObject(const Found& kept, const Found& other) {
  const Box& a = kept.detection.box;
  const Box& b = other.detection.box;
  return iou(a, b) >= kSameIou || (other.cuts.any() && overSmaller(a, b) >= kPieceOverSmaller);
}

// Intersection over union of two intervals.
float agreement(float a0, float a1, float b0, float b1) {
  const float common = std::min(a1, b1) - std::max(a0, b0);
  return common <= 0 ? 0 : common / (std::max(a1, b1) - std::min(a0, b0));
}

// True for what two neighbouring parts see of an object on the border between them.
bool twoPieces(const Found& one, const Found& other) {
  const Box& a = one.detection.box;
  const Box& b = other.detection.box;
  const bool sideBySide = (one.cuts.right && other.cuts.left && b.x0 <= a.x1 && a.x0 <= b.x0) ||
                          (one.cuts.left && other.cuts.right && a.x0 <= b.x1 && b.x0 <= a.x0);
  if (sideBySide && agreement(a.y0, a.y1, b.y0, b.y1) >= kSamePieces) return true;
  const bool stacked = (one.cuts.bottom && other.cuts.top && b.y0 <= a.y1 && a.y0 <= b.y0) ||
                       (one.cuts.top && other.cuts.bottom && a.y0 <= b.y1 && b.y0 <= a.y0);
  return stacked && agreement(a.x0, a.x1, b.x0, b.x1) >= kSamePieces;
}

// The pieces of one object become the box around them; of doubles the first stays.
std::vector<Found> withoutDoubles(std::vector<Found> found) {
  std::stable_sort(found.begin(), found.end(), goesFirst);
  std::vector<Found> kept;
  for (Found& candidate : found) {
    bool isNew = true;
    for (Found& k : kept) {
      if (!mayBeOne(k, candidate)) continue;
      const bool pieces = twoPieces(k, candidate);
      if (pieces) k.detection.box = unite(k.detection.box, candidate.detection.box);
      if (!pieces && !sameObject(k, candidate)) continue;
      isNew = false;
      break;
    }
    if (isNew) kept.push_back(std::move(candidate));
  }
  return kept;
}

void coast(const Rp& rp, std::vector<Detection>& detections) {
  detections.push_back({.box = rp.expected,
                        .score = rp.score,
                        .labelId = rp.labelId,
                        .label = rp.label,
                        .id = rp.id,
                        .coasted = true});
}

}  // namespace

std::vector<Detection> mergeAnswers(const FrameRecord& record) {
  std::vector<Detection> detections;
  if (record.skipped) {
    if (record.rps)
      for (const Rp& rp : *record.rps) coast(rp, detections);
    return detections;
  }
  if (!record.plan || record.answers.size() != record.plan->parts.size()) return detections;

  for (Found& one : withoutDoubles(inFramePixels(record)))
    detections.push_back(std::move(one.detection));

  for (std::size_t i = 0; i < record.answers.size(); ++i) {
    if (record.answers[i].state == AnswerState::Answered || !record.rps) continue;
    for (const int rp : record.plan->parts[i].rps)
      coast((*record.rps)[static_cast<std::size_t>(rp)], detections);
  }
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  return detections;
}

bool wasLookedAt(const FrameRecord& record) {
  if (record.skipped || !record.plan) return false;
  return record.plan->parts.empty() ||
         std::any_of(record.answers.begin(), record.answers.end(), [](const PartAnswer& answer) {
           return answer.state == AnswerState::Answered;
         });
}

}  // namespace elf
