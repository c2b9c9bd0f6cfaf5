// SPDX-License-Identifier: LGPL-2.1-or-later
// The element `elfmerge`.
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_ELF_MERGE (gst_elf_merge_get_type())
G_DECLARE_FINAL_TYPE(GstElfMerge, gst_elf_merge, GST, ELF_MERGE, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(elfmerge)

G_END_DECLS
