// SPDX-License-Identifier: LGPL-2.1-or-later
// Merges the answers of the parts into the detections of the frame.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "elf/base/choice.h"
#include "elf/types/feedback.h"
#include "elf/types/frame_record.h"

namespace elf {

/** How two boxes of one object from two parts are merged. */
enum class MergeMode {
  Nms,  ///< the better one stays as it is: greedy non-maximum suppression
  Nmm   ///< both become the box around them: greedy non-maximum merging
};

struct MergeOptions {
  MergeMode mode = MergeMode::Nms;
  /** Boxes of different classes may be one object, too: a van that one part calls car, and another
   * one truck. It has the class of the box that goes first. */
  bool acrossClasses = false;
};

/** In the order of MergeMode. */
std::span<const Choice> mergeModeChoices();

/** The maximum number of detections in a frame, without coasted ones: more than in any crowd. */
inline constexpr std::size_t kMostDetections = 1000;
/** The maximum number of boxes in all answers of a frame: two parts may see each object. */
inline constexpr std::size_t kMostBoxes = 2 * kMostDetections;

/**
 * Sets `detections` and `cut` of a frame that elfoffload has answered. Scales and shifts each
 * answer's boxes, masks, keypoints and rotated boxes into the frame, and clips boxes and masks to
 * it. Leaves out masks beyond kMaxMaskPixels of one frame. Trusts the model's own suppression
 * inside one part. Between parts, class by class unless `options` says otherwise:
 *
 * - Of two boxes of one object from two parts one is kept, or both are united: a whole one rather
 *   than one that ends at a border of its part inside the frame, one from a part in full resolution
 *   rather than from an LRC, the stronger rather than the weaker one. The same joints in the same
 *   places (similarity() in elf/geometry/keypoint.h) are also one object. Rotated boxes are
 *   compared themselves, not the upright boxes around them.
 * - Pieces of an object on both sides of a border become one: the box around both, the pixels of
 *   both masks, the more visible of each joint, and the rotated box around both at the angle of the
 *   larger one. Two boxes are united in the same way. Each piece joins the one that it fits best,
 *   and none joins a smaller object that it is behind. Of another class, it also has to agree with
 *   the whole one along the border.
 * - A piece that is left is not a whole object. It is removed, unless an RP expects it, or the
 *   whole frame was inferred in parts side by side. `cut` states where the rest may be.
 * - A detection of an LRC is dropped if an answered part that was scaled down no further contains
 *   it.
 *
 * A kept detection (`kept` of the plan) counts as a whole box of a part of its own.
 *
 * RPs whose part got no answer, and all RPs of a skipped frame, become coasted detections if their
 * object is known, unless another part found it. An RP that no part holds whole belongs to all
 * parts that it reaches into. Strongest first. Identities are not set (see Tracker).
 *
 * Of answers with more than kMostBoxes the weakest are left out before merging, of more detections
 * than kMostDetections afterwards, so that no answer can hold up the stream.
 */
void mergeAnswers(FrameRecord& record, const MergeOptions& options = {});

/**
 * Adds a coasted detection for each RP whose object was not found, to a frame that has its
 * detections and their identities. They are for the frame's viewers: never feed them back.
 */
void addMissed(FrameRecord& record);

/** The feedback to the elements upstream from a frame that has its detections. */
Feedback feedbackOf(const FrameRecord& record);

}  // namespace elf
