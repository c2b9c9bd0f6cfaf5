// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_ELF_RP_PREDICT (gst_elf_rp_predict_get_type())
G_DECLARE_FINAL_TYPE(GstElfRpPredict, gst_elf_rp_predict, GST, ELF_RP_PREDICT, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(elfrppredict)

G_END_DECLS
