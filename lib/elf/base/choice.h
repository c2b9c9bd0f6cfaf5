// SPDX-License-Identifier: LGPL-2.1-or-later
// Names that a user chooses from.
#pragma once

namespace elf {

/** One of several ways to do a thing: the value of a property or option, and a word on it. */
struct Choice {
  const char* name;
  const char* description;
};

}  // namespace elf
