// SPDX-License-Identifier: LGPL-2.1-or-later
// Detections in the analytics metas of GStreamer 1.24 and newer. Not installed.
#pragma once

#include <gst/gst.h>

#include <vector>

#include "elf/types/frame_record.h"
#include "gst/elfvision/gstelfresult.h"

namespace elf::gst {

/** False if Elf was built without GStreamer's analytics library. The others then do nothing. */
bool hasAnalytics();

/**
 * Gives a writable buffer one GstAnalyticsODMtd for each detection of the record's stage that has
 * none yet. These are RELATE_TO it:
 *
 * - a GstAnalyticsTrackingMtd with the identity, lost if the detection is coasted;
 * - a GstAnalyticsClsMtd, if a classifier named it;
 * - a GstAnalyticsSegmentationMtd with the mask, from GStreamer 1.26 on.
 *
 * It CONTAINs a group of keypoints, if the library knows them.
 *
 * Without detections the buffer gets an empty GstAnalyticsRelationMeta: on a frame without one,
 * objectdetectionoverlay draws the boxes of the frame before.
 */
void addAnalytics(GstBuffer* buffer, const FrameRecord& record);

/**
 * All GstAnalyticsODMtd of a buffer. Those of Elf stages have their stage and box from `record`,
 * the record of the buffer, and from the records before it. `record` may be null.
 */
std::vector<Region> analyticsRegions(GstBuffer* buffer, const FrameRecord* record);

}  // namespace elf::gst
