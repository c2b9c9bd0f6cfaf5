// SPDX-License-Identifier: LGPL-2.1-or-later
// A frame's place in the loop of its stream.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "elf/stream/slots.h"
#include "elf/types/frame_record.h"

namespace elf {

/**
 * All records of one frame share it until the frame is answered. If the last of them is gone before
 * the frame was submitted, because its buffer was dropped on the way, its slot is free again.
 */
class StreamFrame {
 public:
  StreamFrame(std::shared_ptr<Slots> slots, std::uint64_t id) : slots_(std::move(slots)), id_(id) {}
  StreamFrame(const StreamFrame&) = delete;
  StreamFrame& operator=(const StreamFrame&) = delete;
  ~StreamFrame() {
    if (!submitted_) slots_->leaveUnsent(id_, std::move(planned_));
  }

  /** True for the first call only: a frame that was duplicated on the way is sent once. */
  bool submit() { return !submitted_.exchange(true); }
  bool submitted() const { return submitted_; }

  /** The rectangles of its plan. Only called by the thread that has the frame. */
  void setPlanned(std::vector<Rect> planned) { planned_ = std::move(planned); }

  /** The result of the frame, for duplicates; null until then. The stream's lock guards it. */
  FrameRecordPtr result;

 private:
  const std::shared_ptr<Slots> slots_;
  const std::uint64_t id_;
  std::atomic<bool> submitted_ = false;
  std::vector<Rect> planned_;
};

}  // namespace elf
