// SPDX-License-Identifier: LGPL-2.1-or-later
// How elements that pass their input buffers on answer the ALLOCATION query.
#pragma once

#include <gst/gst.h>

namespace elf::gst {

/**
 * Asks downstream of `srcpad`, so that upstream gets its pools and metas, and adds GstVideoMeta:
 * every Elf element reads strides from it. GstVideoCropMeta is taken out: to an Elf element, all
 * that is in a buffer is the frame. Always true, since an element that asks for nothing itself has
 * no reason to refuse. Call it without a lock.
 */
gboolean forwardAllocation(GstPad* srcpad, GstQuery* query);

}  // namespace elf::gst
