// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading JSON that nobody vouches for: what infer.cpp and metadata.cpp share. Not installed.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "elf/base/printable.h"

namespace elf::wire {

using Json = nlohmann::json;

/** Thrown and caught inside elf/wire only: what is wrong, beginning with the field. */
struct Malformed {
  std::string why;
};

[[noreturn]] inline void fail(const std::string& field, const std::string& why) {
  throw Malformed{printable(field + ": " + why)};
}

inline std::string stringOf(const Json& value, const std::string& field) {
  if (!value.is_string()) fail(field, "is no string");
  return value.get<std::string>();
}

/** The member of that name; null where there is none, or JSON's null: many servers write that. */
inline const Json* optionalMember(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

inline std::string optionalString(const Json& object, const char* key) {
  const Json* const found = optionalMember(object, key);
  return found ? stringOf(*found, key) : std::string();
}

/** True where brackets nest deeper than in any message of the protocol. */
inline bool nestsTooDeep(std::span<const std::uint8_t> text) {
  constexpr int kMaxDepth = 32;
  int depth = 0;
  bool inString = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint8_t c = text[i];
    if (c == '"')
      inString = !inString;
    else if (inString && c == '\\')
      ++i;
    else if (!inString && (c == '[' || c == '{') && ++depth > kMaxDepth)
      return true;
    else if (!inString && (c == ']' || c == '}'))
      --depth;
  }
  return false;
}

/** The JSON object that `text` is; throws Malformed, naming `what`, where it is none. */
inline Json parseObject(std::span<const std::uint8_t> text, const std::string& what) {
  // Each open bracket takes the parser a hundred bytes: megabytes of them would take gigabytes.
  if (nestsTooDeep(text)) fail(what, "nests too deep");
  Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) fail(what, "does not begin with a JSON object");
  return json;
}

}  // namespace elf::wire
