// SPDX-License-Identifier: LGPL-2.1-or-later
// The error of the parsers in elf/wire. Not installed.
#pragma once

#include <string>

#include "elf/base/printable.h"

namespace elf::wire {

/** Thrown and caught inside elf/wire only. Describes the error, beginning with the field. */
struct Malformed {
  std::string why;
};

[[noreturn]] inline void fail(const std::string& field, const std::string& why) {
  throw Malformed{printable(field + ": " + why)};
}

}  // namespace elf::wire
