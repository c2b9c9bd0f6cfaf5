// SPDX-License-Identifier: LGPL-2.1-or-later
// The values in a launch line, before GStreamer sets them. Not installed.
#pragma once

#include <string>

namespace elf::gst {

/**
 * Throws elf::Error for the first value that its property does not take: "FILE: ELEMENT: PROPERTY
 * can't be VALUE; it takes ...", where ELEMENT is what the line calls it, its name or else its
 * factory's. gst_parse_launch() is no help there: GObject leaves a property alone whose range does
 * not hold the value, and tells only the log.
 *
 * What GStreamer itself refuses (a property or an element that does not exist) passes, and so does
 * a value for a child that an element gets later than its pads.
 */
void requireValuesThatFit(const std::string& file, const std::string& line);

}  // namespace elf::gst
