// SPDX-License-Identifier: LGPL-2.1-or-later
// Enum properties whose values are the names that a list in lib/ holds.
#pragma once

#include <glib-object.h>

#include <span>

#include "elf/base/choice.h"

namespace elf::gst {

/**
 * A GEnum type `typeName` with the value i for choices[i]. Call it once for each type and keep the
 * result; gst-inspect lists them, and an unknown one is refused before it reaches the element.
 */
GType registerChoice(const char* typeName, std::span<const Choice> choices);

}  // namespace elf::gst
