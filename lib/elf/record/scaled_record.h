// SPDX-License-Identifier: LGPL-2.1-or-later
// Records of frames that were scaled behind elfmerge.
#pragma once

#include "elf/types/frame_record.h"

namespace elf {

/**
 * What an answered record says of its frame where that was scaled, and is `content` of a frame of
 * `size` now: detections without masks, of earlier stages, too. Where it was looked at, in the
 * pixels of before, it does not.
 */
FrameRecord scaledTo(Size size, const Rect& content, const FrameRecord& record);

}  // namespace elf
