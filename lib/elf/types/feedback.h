// SPDX-License-Identifier: LGPL-2.1-or-later
// The result of a frame, from which a stream learns.
#pragma once

#include <cstdint>
#include <vector>

#include "elf/base/frame_time.h"
#include "elf/geometry/box.h"
#include "elf/types/detection.h"

namespace elf {

/** What a frame really held, as input to the history of its stream. */
struct Feedback {
  std::uint64_t id = 0;
  FrameTime when;
  Size size;
  /** False if no server inferred the frame (failed, late): it is not evidence. */
  bool looked = false;
  std::vector<Detection> detections;
  /** From this score on the model is sure of a detection (ModelRules::sureScore). */
  float sureScore = 0;
  /** Regions not seen, or not whole: parts without an answer, and FrameRecord::cut. */
  std::vector<Rect> unseen;
};

}  // namespace elf
