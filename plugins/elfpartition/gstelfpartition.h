// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_ELF_PARTITION (gst_elf_partition_get_type())
G_DECLARE_FINAL_TYPE(GstElfPartition, gst_elf_partition, GST, ELF_PARTITION, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(elfpartition)

G_END_DECLS
