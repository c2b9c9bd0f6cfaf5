// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the headers of a request. Does not trust them. Not installed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace elf {

/** The value of an Inference-Header-Content-Length header. Unset if it is not a number. */
std::optional<std::size_t> jsonLengthOf(const char* text);

/**
 * Whether an Authorization header, or null, has `token`. Takes the same time for a wrong token,
 * however much of it is right.
 */
bool bringsToken(const char* authorization, const std::string& token);

/** The trace id of a W3C traceparent header, or null. Empty if it is not a valid one. */
std::string traceIdOf(const char* traceparent);

}  // namespace elf
