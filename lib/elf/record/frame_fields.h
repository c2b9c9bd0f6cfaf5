// SPDX-License-Identifier: LGPL-2.1-or-later
// The result of a frame as named fields: the one list of names that the JSON lines of
// `elfmerge results-location=` and the bus message `elf-result` share (docs/elfmerge.md).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "elf/types/frame_record.h"

namespace elf {

/** The double whose shortest decimal form is that of the float: 0.87, not 0.870000005. */
double shortest(float number);

/** A list: x and y of its centre, width, height, angle. */
nlohmann::ordered_json toField(const RotatedBox& box);

/**
 * The result in `record`, with the detections of earlier stages before its own. `ptsNs` is the
 * buffer's timestamp in nanoseconds. A detection's server is its URL, null if coasted. A time or
 * trace that is unset is null. A mask, keypoints or a rotated box that a detection does not have is
 * left out. A mask is `rect`, as x, y, width and height, and `runs`, as runLengths() has them; a
 * keypoint is x, y, visibility; a rotated box is as toField() has it.
 */
nlohmann::ordered_json frameFields(const FrameRecord& record, std::optional<std::int64_t> ptsNs);

/** The same as the text of one JSON object, without the line's end, in ASCII. */
std::string toJsonLine(const FrameRecord& record, std::optional<std::int64_t> ptsNs);

}  // namespace elf
