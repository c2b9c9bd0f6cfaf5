// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks the values in a launch line before GStreamer sets them. Not installed.
#pragma once

#include <string>

namespace elf::gst {

/**
 * Throws elf::Error for the first value that its property does not accept: "FILE: ELEMENT: PROPERTY
 * can't be VALUE; it takes ...". ELEMENT is the element's name in the line, or else its factory's.
 * gst_parse_launch() does not report this: GObject ignores a value outside the property's range and
 * only logs it.
 *
 * Accepts what GStreamer itself refuses, such as an unknown property or element. Also accepts a
 * value for a child that the element only gets after its pads.
 */
void requireValuesThatFit(const std::string& file, const std::string& line);

}  // namespace elf::gst
