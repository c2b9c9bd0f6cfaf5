// SPDX-License-Identifier: LGPL-2.1-or-later
// A frame's result in GStreamer's types: the structure `elf-result` and the metas.
#pragma once

#include <gst/gst.h>
#include <gst/video/gstvideometa.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "elf/types/frame_record.h"

namespace elf::gst {

/**
 * A structure `elf-result` with the fields of frameFields(): objects are nested structures, lists
 * are arrays, and null fields are left out. The caller owns it.
 */
GstStructure* newResultStructure(const FrameRecord& record, std::optional<std::int64_t> ptsNs);

/** The label, or the class number if it has none. */
std::string nameOf(const Detection& detection);

/**
 * Gives a writable buffer one GstVideoRegionOfInterestMeta for each detection of the record's
 * stage. Replaces those of an earlier elfmerge of that stage and keeps all others.
 */
void replaceRegions(GstBuffer* buffer, const FrameRecord& record);

/**
 * Repairs the regions of elfmerge on a writable buffer after scaling. Scaling removes their
 * parameters, among them the stage, and moves them as if there were no borders. Uses the record
 * that was scaled with the buffer and those before it.
 */
void restoreRegions(GstBuffer* buffer, const FrameRecord& record);

/** The stage of the elfmerge that made the region. Unset for a region of another element. */
std::optional<int> stageOf(const GstVideoRegionOfInterestMeta* region);

/** A detection of a record, and the type that its meta has. */
struct Reported {
  const FrameRecord* record;
  const Detection* detection;
  GQuark type;
};

/** The detections of a record and of those before it: earlier stages first, as elfmerge adds them.
 */
std::vector<Reported> reportedBy(const FrameRecord& record);

/** A place where an element found something. */
struct Region {
  Box box;
  std::string label;
  /** The stage of the elfmerge that made it. Unset for another element's. */
  std::optional<int> stage;
};

/**
 * Each GstVideoRegionOfInterestMeta of a buffer, and each GstAnalyticsODMtd that does not repeat
 * one. `record` is the record of the buffer, or null.
 */
std::vector<Region> regionsOn(GstBuffer* buffer, const FrameRecord* record);

}  // namespace elf::gst
