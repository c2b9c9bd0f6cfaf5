// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfrecords.h"

#include "elf/base/trace_id.h"
#include "gst/elfvision/gstelfmeta.h"

namespace elf::gst {

FrameRecordPtr FrameRecords::carriedBy(GstBuffer* buffer, Size size) {
  FrameRecordPtr record = getRecord(buffer);
  if (!record || record->size == size) return record;
  if (!warned_) {
    warned_ = true;
    GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                        ("The Elf record of a frame is for %dx%d pixels, but the frame has %dx%d.",
                         record->size.width, record->size.height, size.width, size.height),
                        ("an element between the Elf elements changes the size of the video"));
  }
  return nullptr;
}

FrameRecordPtr FrameRecords::of(GstBuffer* buffer, Size size) {
  if (FrameRecordPtr record = carriedBy(buffer, size)) return record;
  FrameRecord fresh;
  used_ = true;
  fresh.id = nextId_++;
  fresh.generation = generation_;
  fresh.size = size;
  fresh.trace = newTraceId();
  fresh.entered = std::chrono::steady_clock::now();
  return std::make_shared<const FrameRecord>(std::move(fresh));
}

void FrameRecords::newGeneration() {
  if (used_) ++generation_;
  used_ = false;
  warned_ = false;
}

}  // namespace elf::gst
