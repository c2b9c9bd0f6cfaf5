// SPDX-License-Identifier: LGPL-2.1-or-later
// Where frame ids and generations come from.
#pragma once

#include <gst/gst.h>

#include <cstdint>

#include "elf/record/frame_record.h"

namespace elf::gst {

/**
 * Gives every frame its record: the one that it carries, or a new one when this element is the
 * first of Elf's in the pipeline. Owned by one element and used from its streaming thread, except
 * newGeneration(), which needs the stream to be stopped or flushing.
 */
class FrameRecords {
 public:
  explicit FrameRecords(GstElement* element) : element_(element) {}

  /**
   * The record that the buffer carries, or null. A record whose size is not `size` belongs to other
   * pixels: it is ignored, with one element warning until the next newGeneration().
   */
  FrameRecordPtr carriedBy(GstBuffer* buffer, Size size);
  /** The record that the buffer carries, else a new one; never null. */
  FrameRecordPtr of(GstBuffer* buffer, Size size);

  /**
   * After a flush, a change of size or a restart: what was in flight has nothing to say any more.
   * The generation stays where no frame was given a record in it.
   */
  void newGeneration();
  std::uint32_t generation() const { return generation_; }

 private:
  GstElement* element_;
  std::uint64_t nextId_ = 0;
  std::uint32_t generation_ = 0;
  bool used_ = false;
  bool warned_ = false;
};

}  // namespace elf::gst
