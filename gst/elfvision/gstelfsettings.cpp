// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfsettings.h"

namespace elf::gst {

GType choiceType(const char* name, std::span<const Choice> choices) {
  if (const GType known = g_type_from_name(name)) return known;
  // GObject keeps the array as long as the type: for ever.
  auto* values = g_new0(GEnumValue, choices.size() + 1);
  for (std::size_t i = 0; i < choices.size(); ++i)
    values[i] = {static_cast<gint>(i), choices[i].description, choices[i].name};
  const GType type = g_enum_register_static(name, values);
  gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
  return type;
}

}  // namespace elf::gst
