// SPDX-License-Identifier: LGPL-2.1-or-later
// What the elements tell each other: the event `elf-detections` (upstream) and the query
// `elf-capacity`. Payloads are immutable snapshots, so any thread may read them.
#pragma once

#include <gst/gst.h>

#include "elf/capacity/capacity.h"
#include "elf/record/frame_record.h"

namespace elf::gst {

/** The upstream event that tells what a frame really held. The caller owns it. */
GstEvent* newDetectionsEvent(FeedbackPtr feedback);
/** Its payload, or null where `event` is another event. */
FeedbackPtr parseDetectionsEvent(GstEvent* event);

/**
 * Asks the elements downstream of `srcpad` for their capacity, as it is now; null where nobody
 * answers. Cheap enough for each frame; the first time after a start it waits until the servers
 * have told about themselves.
 */
CapacityPtr queryCapacity(GstPad* srcpad);
/** True where `query` is the one that queryCapacity() sends. */
bool isCapacityQuery(GstQuery* query);
void answerCapacityQuery(GstQuery* query, CapacityPtr capacity);

}  // namespace elf::gst
