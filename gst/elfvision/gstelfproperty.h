// SPDX-License-Identifier: LGPL-2.1-or-later
// What a property of an element may be set to.
#pragma once

#include <glib-object.h>

#include <string>

namespace elf::gst {

/** Whether the property can be set to the value that `text` stands for in a launch line. */
bool takes(GParamSpec* property, const std::string& text);

/** The end of an error about a value that it does not take: "; it takes -1 to 100" or "; it takes
 * auto, jpeg, raw"; empty where it is neither a number nor an enum. */
std::string whatItTakes(GParamSpec* property);

}  // namespace elf::gst
