// SPDX-License-Identifier: LGPL-2.1-or-later
// The result of a frame as GStreamer knows it: the structure of `elf-result` and the ROI metas.
#pragma once

#include <gst/gst.h>
#include <gst/video/gstvideometa.h>

#include <cstdint>
#include <optional>

#include "elf/types/frame_record.h"

namespace elf::gst {

/**
 * A structure `elf-result` with the fields of frameFields(): objects are nested structures, lists
 * are arrays, and what is null is left out. The caller owns it.
 */
GstStructure* newResultStructure(const FrameRecord& record, std::optional<std::int64_t> ptsNs);

/**
 * Gives a writable buffer one GstVideoRegionOfInterestMeta for each detection of the record's
 * stage, in the place of those that an elfmerge of that stage gave it before. Others stay.
 */
void replaceRegions(GstBuffer* buffer, const FrameRecord& record);

/**
 * Scaling takes from the regions of elfmerge what they say of their stage, and moves them as if
 * there were no borders. On a writable buffer they are put right, by the record that was scaled
 * with it and those before that.
 */
void restoreRegions(GstBuffer* buffer, const FrameRecord& record);

/** The stage whose elfmerge made it; unset for one of another element. */
std::optional<int> stageOf(const GstVideoRegionOfInterestMeta* region);

}  // namespace elf::gst
