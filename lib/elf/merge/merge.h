// SPDX-License-Identifier: LGPL-2.1-or-later
// From the answers of the parts to the detections of the frame.
#pragma once

#include <vector>

#include "elf/record/frame_record.h"

namespace elf {

/**
 * The detections of a frame that elfoffload has answered: each answer's boxes scaled and shifted
 * into the frame and clipped to it. Of detections of one class that two parts both found one is
 * kept, a whole one rather than one that ends at its part's border; the pieces of an object that
 * two parts cut become one box. Inside one part the model's own suppression is trusted. RPs whose
 * part got no answer, and all RPs of a skipped frame, stand in as coasted detections. Strongest
 * first; identities are not set (see Identifier).
 */
std::vector<Detection> mergeAnswers(const FrameRecord& record);

/** True when at least one server looked at the frame, or an empty plan asked for nothing. */
bool wasLookedAt(const FrameRecord& record);

}  // namespace elf
