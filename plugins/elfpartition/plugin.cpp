// SPDX-License-Identifier: LGPL-2.1-or-later
// The plugin `elfpartition`: registration alone.
#include "plugins/elfpartition/gstelfpartition.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(elfpartition, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfpartition,
                  "Elf: which parts of a frame are inferred, and where", plugin_init, ELF_VERSION,
                  "LGPL", PACKAGE, "Unknown package origin")
