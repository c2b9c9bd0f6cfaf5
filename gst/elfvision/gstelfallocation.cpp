// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfallocation.h"

#include <gst/video/gstvideometa.h>

namespace elf::gst {

gboolean forwardAllocation(GstPad* srcpad, GstQuery* query) {
  gst_pad_peer_query(srcpad, query);
  if (!gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr))
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  guint crop = 0;
  if (gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, &crop))
    gst_query_remove_nth_allocation_meta(query, crop);
  return TRUE;
}

}  // namespace elf::gst
