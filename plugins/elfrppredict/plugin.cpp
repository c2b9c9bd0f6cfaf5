// SPDX-License-Identifier: LGPL-2.1-or-later
// The plugin `elfrppredict`: registration alone.
#include "plugins/elfrppredict/gstelfrppredict.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(elfrppredict, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, elfrppredict,
                  "Elf: where objects will be in the next frame", plugin_init, ELF_VERSION, "LGPL",
                  PACKAGE, "Unknown package origin")
