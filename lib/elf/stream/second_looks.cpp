// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/second_looks.h"

#include <algorithm>
#include <cmath>

namespace elf {

namespace {

Rect around(const Box& box, double margin, Size frame) {
  const auto by = static_cast<float>(margin);
  return roundOutwards(grow(box, {by, by, by, by}), frame);
}

/** Whether an answered part showed the box with its surroundings. */
bool wasShown(const FrameRecord& record, const Box& box, int margin) {
  for (std::size_t i = 0; i < record.answers.size(); ++i) {
    const Part& part = record.plan->parts[i];
    if (record.answers[i].state == AnswerState::Answered && part.kind != PartKind::Lrc &&
        contains(part.rect, around(box, margin / part.scale, record.size)))
      return true;
  }
  return false;
}

}  // namespace

void SecondLooks::widen(FrameRecord& record) {
  if (margin_ == 0 || !record.rps) return;
  for (Rp& rp : *record.rps) {
    const auto found = looks_.find(rp.id);
    if (found == looks_.end() || !found->second.wanted || found->second.wait > 0) continue;
    Look& look = found->second;
    look.asked = record.id;
    look.pause = std::clamp(2 * look.pause, 1, kLongestPause);
    look.wait = look.pause;
    rp.box = unite(rp.box, toBox(around(rp.expected, margin_, record.size)));
  }
}

bool SecondLooks::asks(Identity id, std::uint64_t frame) const {
  const auto look = looks_.find(id);
  return look != looks_.end() && look->second.wanted && look->second.asked == frame;
}

void SecondLooks::judge(FrameRecord& record) {
  if (!record.plan || !record.capacity) return;
  const ModelRules& rules = record.capacity->rules;
  margin_ = rules.placed || !rules.fixedSize.empty() ? 0 : kSurroundings * rules.context;
  for (auto& [id, look] : looks_) look.wait = std::max(0, look.wait - 1);
  if (margin_ == 0) return;
  for (Detection& detection : record.detections) {
    if (detection.coasted || detection.kept || detection.id == kNoIdentity) continue;
    Look& look = looks_[detection.id];
    const bool sure = detection.score >= rules.sureScore;
    look.sure = look.sure || (sure && wasShown(record, detection.box, margin_));
    look.wanted = sure && !look.sure;
    if (look.wanted) detection.score = std::nextafter(rules.sureScore, 0.0F);
  }
}

}  // namespace elf
