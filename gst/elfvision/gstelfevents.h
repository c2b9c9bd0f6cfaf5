// SPDX-License-Identifier: LGPL-2.1-or-later
// What the elements tell each other: the event `elf-detections` (upstream), the query and the
// event `elf-capacity`. Payloads are immutable snapshots, so any thread may read them.
#pragma once

#include <gst/gst.h>

#include "elf/capacity/capacity.h"
#include "elf/record/frame_record.h"

namespace elf::gst {

/** The upstream event that tells what a frame really held. The caller owns it. */
GstEvent* newDetectionsEvent(FeedbackPtr feedback);
/** Its payload, or null where `event` is another event. */
FeedbackPtr parseDetectionsEvent(GstEvent* event);

/** The upstream event that tells that servers, health or cost models changed. */
GstEvent* newCapacityEvent(CapacityPtr capacity);
CapacityPtr parseCapacityEvent(GstEvent* event);

/** Asks the elements downstream of `srcpad` for their capacity; null where nobody answers. */
CapacityPtr queryCapacity(GstPad* srcpad);
/** True where `query` is the one that queryCapacity() sends. */
bool isCapacityQuery(GstQuery* query);
void answerCapacityQuery(GstQuery* query, CapacityPtr capacity);

}  // namespace elf::gst
