// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_ELF_OFFLOAD (gst_elf_offload_get_type())
G_DECLARE_FINAL_TYPE(GstElfOffload, gst_elf_offload, GST, ELF_OFFLOAD, GstElement)

GST_ELEMENT_REGISTER_DECLARE(elfoffload)

G_END_DECLS
