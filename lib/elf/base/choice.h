// SPDX-License-Identifier: LGPL-2.1-or-later
// Names that a user chooses from.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

namespace elf {

/** One value that a property or option can have, and its description. */
struct Choice {
  const char* name;
  const char* description;
};

/** The names, for people to read: "one, two, three". */
inline std::string namesOf(std::span<const Choice> choices) {
  std::string names;
  for (const Choice& choice : choices)
    names += (names.empty() ? "" : ", ") + std::string(choice.name);
  return names;
}

inline bool isOneOf(std::string_view name, std::span<const Choice> choices) {
  return std::any_of(choices.begin(), choices.end(),
                     [&](const Choice& choice) { return name == choice.name; });
}

}  // namespace elf
