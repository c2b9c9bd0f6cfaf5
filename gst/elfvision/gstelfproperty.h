// SPDX-License-Identifier: LGPL-2.1-or-later
// The values that a property of an element accepts.
#pragma once

#include <glib-object.h>

#include <string>

namespace elf::gst {

/** Whether the property accepts the value that `text` means in a launch line. */
bool takes(GParamSpec* property, const std::string& text);

/** The end of an error about a refused value: "; it takes -1 to 100" or "; it takes auto, jpeg,
 * raw". Empty if the property is neither a number nor an enum. */
std::string whatItTakes(GParamSpec* property);

}  // namespace elf::gst
