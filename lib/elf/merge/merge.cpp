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

struct Found {
  Detection detection;
  std::size_t part = 0;
  bool cutOff = false;
};

bool touchesInnerBorder(const Box& box, const Rect& part, Size frame) {
  const Box edges = toBox(part);
  return (part.x > 0 && box.x0 < edges.x0 + kBorder) ||
         (part.y > 0 && box.y0 < edges.y0 + kBorder) ||
         (part.right() < frame.width && box.x1 > edges.x1 - kBorder) ||
         (part.bottom() < frame.height && box.y1 > edges.y1 - kBorder);
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
      const bool cutOff = touchesInnerBorder(detection.box, part.rect, record.size);
      all.push_back({std::move(detection), i, cutOff});
    }
  }
  return all;
}

// Whole boxes before pieces, and strong before weak: of two that are one object the first stays.
bool goesFirst(const Found& a, const Found& b) {
  if (a.cutOff != b.cutOff) return b.cutOff;
  return a.detection.score > b.detection.score;
}

bool sameObject(const Found& kept, const Found& other) {
  if (kept.part == other.part || kept.detection.labelId != other.detection.labelId) return false;
  const Box& a = kept.detection.box;
  const Box& b = other.detection.box;
  return iou(a, b) >= kSameIou || (other.cutOff && overSmaller(a, b) >= kPieceOverSmaller);
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

  std::vector<Found> found = inFramePixels(record);
  std::stable_sort(found.begin(), found.end(), goesFirst);
  std::vector<Found> kept;
  for (Found& candidate : found) {
    const bool known = std::any_of(kept.begin(), kept.end(),
                                   [&](const Found& k) { return sameObject(k, candidate); });
    if (!known) kept.push_back(std::move(candidate));
  }
  for (Found& one : kept) detections.push_back(std::move(one.detection));

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
