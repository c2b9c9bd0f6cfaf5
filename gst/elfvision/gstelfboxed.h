// SPDX-License-Identifier: LGPL-2.1-or-later
// Shared pointers in GstStructures. Not installed.
#pragma once

#include <gst/gst.h>

namespace elf::gst {

/** The boxed GType of a std::shared_ptr. A copy of the box shares the object that it points to. */
template <typename Pointer>
GType boxedType(const char* name) {
  static const GType type = g_boxed_type_register_static(
      name, [](gpointer box) -> gpointer { return new Pointer(*static_cast<Pointer*>(box)); },
      [](gpointer box) { delete static_cast<Pointer*>(box); });
  return type;
}

template <typename Pointer>
void setBoxed(GstStructure* structure, const char* field, GType type, const Pointer& pointer) {
  gst_structure_set(structure, field, type, &pointer, nullptr);
}

/** The content of a field, or null if the structure has no such field of that type. */
template <typename Pointer>
Pointer getBoxed(const GstStructure* structure, const char* field, GType type) {
  const GValue* value = gst_structure_get_value(structure, field);
  if (!value || !G_VALUE_HOLDS(value, type)) return nullptr;
  return *static_cast<Pointer*>(g_value_get_boxed(value));
}

}  // namespace elf::gst
