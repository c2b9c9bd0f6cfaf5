// SPDX-License-Identifier: LGPL-2.1-or-later
// The plugin `elfmerge`: registration alone.
#include "plugins/elfmerge/gstelfmerge.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(elfmerge, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfmerge,
                  "Elf: from the answers of the servers to the detections of a frame", plugin_init,
                  ELF_VERSION, "LGPL", PACKAGE, "Unknown package origin")
