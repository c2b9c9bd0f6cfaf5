// SPDX-License-Identifier: LGPL-2.1-or-later
// The meta that carries a frame's record through a pipeline.
#pragma once

#include <gst/gst.h>

#include "elf/types/frame_record.h"

G_BEGIN_DECLS

#define GST_ELF_META_API_TYPE (gst_elf_meta_api_get_type())
GType gst_elf_meta_api_get_type(void);
const GstMetaInfo* gst_elf_meta_get_info(void);

G_END_DECLS

/**
 * Tagged video, orientation and size: elements that change the geometry drop it. A copy of the
 * buffer keeps the meta and shares the record. Scaling keeps the results of an answered record
 * (scaledTo()), with borders where the display aspect ratio changes. A copy of a region and all
 * other transformations drop it, because the coordinates would be wrong.
 */
struct GstElfMeta {
  GstMeta meta;
  /** Owned. Null only between init and setRecord(). */
  elf::FrameRecordPtr* record;
};

namespace elf::gst {

/** The record of a buffer, or null if it has none. Any thread that holds the buffer may call
 * this. */
FrameRecordPtr getRecord(GstBuffer* buffer);

/** Puts `record` on a writable buffer and replaces an earlier record. */
void setRecord(GstBuffer* buffer, FrameRecordPtr record);

/** Takes the record of a writable buffer, which must have one, for setRecord(). Copies it only if
 * other buffers share it. */
FrameRecord takeRecord(GstBuffer* buffer);

}  // namespace elf::gst
