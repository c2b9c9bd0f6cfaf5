// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads untrusted JSON for infer_parse.cpp and metadata.cpp. Not installed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "elf/wire/infer.h"
#include "elf/wire/malformed.h"

namespace elf::wire {

using Json = nlohmann::json;

inline std::string stringOf(const Json& value, const std::string& field) {
  if (!value.is_string()) fail(field, "not a string");
  return value.get<std::string>();
}

/** The member of that name; null if it is missing or JSON's null, which many servers write. */
inline const Json* optionalMember(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

inline std::string optionalString(const Json& object, const char* key) {
  const Json* const found = optionalMember(object, key);
  return found ? stringOf(*found, key) : std::string();
}

/** The size of JSON, also counted for text that is not JSON. */
struct Extent {
  /** Most brackets that are open at once. */
  int depth = 0;
  /** At least the number of values, without names of members. */
  std::size_t values = 1;
  /** Arrays, objects and strings, names of members included. */
  std::size_t others = 0;
};

inline Extent extentOf(std::span<const std::uint8_t> text) {
  Extent extent;
  int depth = 0;
  bool inString = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint8_t c = text[i];
    if (c == '"') {
      inString = !inString;
      if (inString) ++extent.others;
    } else if (inString) {
      if (c == '\\') ++i;
    } else if (c == '[' || c == '{') {
      extent.depth = std::max(extent.depth, ++depth);
      ++extent.values;
      ++extent.others;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',') {
      ++extent.values;
    }
  }
  return extent;
}

/** The JSON object in `text`. Throws Malformed, naming `what`, if it is not one, nests deeper than
 * any message of the protocol, or holds more than `mostNumbers` values or more than kMostValues
 * arrays, objects and strings. */
inline Json parseObject(std::span<const std::uint8_t> text, const std::string& what,
                        std::size_t mostNumbers = kMostValues) {
  constexpr int kMaxDepth = 32;
  // An array, object or string takes the parser a hundred bytes, a number some thirty: megabytes of
  // them would take gigabytes.
  const Extent extent = extentOf(text);
  if (extent.depth > kMaxDepth) fail(what, "nests too deep");
  if (extent.values > mostNumbers || extent.others > kMostValues)
    fail(what, "has more than " +
                   std::to_string(extent.values > mostNumbers ? mostNumbers : kMostValues) +
                   " values in JSON");
  Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) fail(what, "does not begin with a JSON object");
  return json;
}

}  // namespace elf::wire
