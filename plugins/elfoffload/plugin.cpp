// SPDX-License-Identifier: LGPL-2.1-or-later
// The plugin `elfoffload`: registration alone.
#include "plugins/elfoffload/gstelfoffload.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(elfoffload, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfoffload,
                  "Elf: has the parts of a frame inferred by servers", plugin_init, ELF_VERSION,
                  "LGPL", PACKAGE, "Unknown package origin")
