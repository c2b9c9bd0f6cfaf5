// SPDX-License-Identifier: LGPL-2.1-or-later
// Draws what a record says into the picture, in the picture's own format.
#pragma once

#include "elf/image/image_view.h"
#include "elf/record/frame_record.h"

namespace elf {

/** What to draw. */
struct PaintOptions {
  /** Outlines of the detections, a colour for each identity; coasted ones grey. */
  bool boxes = true;
  /** Name and score above each detection, such as "person 0.87". */
  bool labels = true;
  /** Dashed outlines of the RPs. */
  bool rps = false;
  /** Thin outlines of the parts, each with the index of its server. */
  bool parts = false;
};

/** False where paint() would change no pixel, so that the picture need not be writable. */
bool paintsAnything(const FrameRecord& record, const PaintOptions& options);

/**
 * Draws into `picture`, whose size is the record's. Lines and letters grow with the height of the
 * frame. Boxes may lie outside the frame or hold NaN: what can't be seen is not drawn. Nothing is
 * converted: only the pixels of lines and labels are touched. May run in several threads at once
 * on different pictures.
 */
void paint(const FrameRecord& record, const PaintOptions& options, const MutableImageView& picture);

}  // namespace elf
