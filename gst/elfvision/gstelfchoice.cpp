// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfchoice.h"

namespace elf::gst {

GType registerChoice(const char* typeName, std::span<const Choice> choices) {
  // GObject keeps the array as long as the type, which is for ever.
  auto* values = g_new0(GEnumValue, choices.size() + 1);
  for (std::size_t i = 0; i < choices.size(); ++i)
    values[i] = {static_cast<gint>(i), choices[i].description, choices[i].name};
  return g_enum_register_static(typeName, values);
}

}  // namespace elf::gst
