// SPDX-License-Identifier: LGPL-2.1-or-later
// From the answers of the parts to the detections of the frame.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "elf/base/choice.h"
#include "elf/types/feedback.h"
#include "elf/types/frame_record.h"

namespace elf {

/** What becomes of two boxes that two parts made of one object. */
enum class MergeMode {
  Nms,  ///< the better one stays as it is: greedy non-maximum suppression
  Nmm   ///< it becomes the box around both: greedy non-maximum merging
};

/** In the order of MergeMode. */
std::span<const Choice> mergeModeChoices();

/** Detections of a frame, those of RPs without an answer apart: more than any crowd has. */
inline constexpr std::size_t kMostDetections = 1000;
/** Boxes of all its answers together: two parts may see each object. */
inline constexpr std::size_t kMostBoxes = 2 * kMostDetections;

/**
 * Sets `detections` and `cut` of a frame that elfoffload has answered. Each answer's boxes, masks,
 * keypoints and rotated boxes are scaled and shifted into the frame, boxes and masks are clipped to
 * it; masks beyond kMaxMaskPixels of one frame are left out. Inside one part the model's own
 * suppression is trusted; between parts, class by class:
 *
 * - Of boxes that two parts made of one object one is kept, or both are united: a whole one rather
 *   than one that ends at a border of its part inside the frame, one from a part in full resolution
 *   rather than from an LRC, the stronger rather than the weaker one.
 *   The same joints in the same places (similarity() in elf/geometry/keypoint.h) are one object,
 *   too. Of rotated boxes it is these that agree or do not, not what is upright around them.
 * - Pieces of an object on both sides of a border become one: the box around both, the pixels of
 *   both masks, of each joint the one that is seen better, and of rotated boxes the one around both
 *   at the angle of the larger. So do two that are united.
 * - A piece that is left is no object but a part of one, and goes, unless it is what an RP expects,
 * or the whole frame was looked at in parts that lie side by side. `cut` says where the rest may
 * be.
 * - What an LRC sees where a part looked that was scaled down no further is what that part saw.
 *
 * RPs whose part got no answer, and all RPs of a skipped frame, stand in as coasted detections,
 * where it is known what is expected in them, unless another part found the object. An RP that no
 * part holds whole is that of all that it reaches into. Strongest first; identities are not set
 * (see Tracker).
 *
 * Of answers with more than kMostBoxes the weakest are left out beforehand, of more detections than
 * kMostDetections afterwards, so that no answer, however wild, holds the stream up.
 */
void mergeAnswers(FrameRecord& record, MergeMode mode = MergeMode::Nms);

/**
 * Adds a coasted detection for each RP whose object nobody found in a frame that has its detections
 * and their identities. They are for the frame's viewers: never feed them back.
 */
void addMissed(FrameRecord& record);

/** What a frame that has its detections tells the elements upstream. */
Feedback feedbackOf(const FrameRecord& record);

}  // namespace elf
