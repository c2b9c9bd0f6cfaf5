// SPDX-License-Identifier: LGPL-2.1-or-later
// What a stream learns from.
#pragma once

#include <cstdint>
#include <vector>

#include "elf/base/frame_time.h"
#include "elf/geometry/box.h"
#include "elf/types/detection.h"

namespace elf {

/** What a frame really held, as the history of its stream takes it in. */
struct Feedback {
  std::uint64_t id = 0;
  FrameTime when;
  Size size;
  /** False when no server looked at the frame at all (failed, late): it is no evidence. */
  bool looked = false;
  std::vector<Detection> detections;
  /** From this score on the model is sure of a detection (ModelRules::sureScore). */
  float sureScore = 0;
  /** What was not seen, or not whole: parts that got no answer, and FrameRecord::cut. */
  std::vector<Rect> unseen;
};

}  // namespace elf
