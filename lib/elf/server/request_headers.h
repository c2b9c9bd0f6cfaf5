// SPDX-License-Identifier: LGPL-2.1-or-later
// What the server reads in the headers of a request. Nothing here trusts them. Not installed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace elf {

/** What an Inference-Header-Content-Length header says; unset if it is not a number. */
std::optional<std::size_t> jsonLengthOf(const char* text);

/**
 * Whether an Authorization header, or null, brings `token`. A wrong one takes the same time however
 * much of it is right.
 */
bool bringsToken(const char* authorization, const std::string& token);

/** The trace id of a W3C traceparent header, or null; empty where it is none. */
std::string traceIdOf(const char* traceparent);

}  // namespace elf
