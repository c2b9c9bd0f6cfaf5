// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfproperty.h"

#include <gst/gst.h>

#include <sstream>

namespace elf::gst {

namespace {

template <typename Spec>
std::string between(const Spec* spec) {
  std::ostringstream text;
  text << "; it takes " << spec->minimum << " to " << spec->maximum;
  return text.str();
}

}  // namespace

bool takes(GParamSpec* property, const std::string& text) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value, property->value_type);
  // Validation changes a value that does not fit. A property with lax validation accepts the
  // changed value.
  const bool fits =
      gst_value_deserialize_with_pspec(&value, text.c_str(), property) &&
      (!g_param_value_validate(property, &value) || (property->flags & G_PARAM_LAX_VALIDATION));
  g_value_unset(&value);
  return fits;
}

std::string whatItTakes(GParamSpec* property) {
  if (G_IS_PARAM_SPEC_INT(property)) return between(G_PARAM_SPEC_INT(property));
  if (G_IS_PARAM_SPEC_UINT(property)) return between(G_PARAM_SPEC_UINT(property));
  if (G_IS_PARAM_SPEC_INT64(property)) return between(G_PARAM_SPEC_INT64(property));
  if (G_IS_PARAM_SPEC_UINT64(property)) return between(G_PARAM_SPEC_UINT64(property));
  if (G_IS_PARAM_SPEC_FLOAT(property)) return between(G_PARAM_SPEC_FLOAT(property));
  if (G_IS_PARAM_SPEC_DOUBLE(property)) return between(G_PARAM_SPEC_DOUBLE(property));
  std::string names;
  if (!G_IS_PARAM_SPEC_ENUM(property)) return names;
  const GEnumClass* choices = G_PARAM_SPEC_ENUM(property)->enum_class;
  for (guint i = 0; i < choices->n_values; ++i)
    names += (names.empty() ? "; it takes " : ", ") + std::string(choices->values[i].value_nick);
  return names;
}

}  // namespace elf::gst
