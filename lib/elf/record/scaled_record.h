// SPDX-License-Identifier: LGPL-2.1-or-later
// Records of frames that were scaled after elfmerge.
#pragma once

#include "elf/types/frame_record.h"

namespace elf {

/**
 * An answered record for its frame after scaling, which is now `content` of a frame of `size`. It
 * keeps the detections without masks, those of earlier stages too. It drops the RPs, the plan and
 * `cut`, which refer to the old pixels.
 */
FrameRecord scaledTo(Size size, const Rect& content, const FrameRecord& record);

}  // namespace elf
