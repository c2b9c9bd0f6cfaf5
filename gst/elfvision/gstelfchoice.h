// SPDX-License-Identifier: LGPL-2.1-or-later
// Enum properties whose values are the names that a list in lib/ holds.
#pragma once

#include <glib-object.h>

#include <span>

#include "elf/base/choice.h"

namespace elf::gst {

/**
 * A GEnum type `typeName` with the value i for choices[i]. gst-inspect lists them, and an unknown
 * one is refused before it reaches the element. Call it once for each type: by choiceType().
 */
GType registerChoice(const char* typeName, std::span<const Choice> choices);

/** The type of `choices`, registered on the first call. */
template <std::span<const Choice> (*choices)()>
GType choiceType(const char* typeName) {
  static GType type = 0;
  if (g_once_init_enter(&type)) {
    const GType made = registerChoice(typeName, choices());
    g_once_init_leave(&type, made);
  }
  return type;
}

}  // namespace elf::gst
