// SPDX-License-Identifier: LGPL-2.1-or-later
// Ids of W3C Trace Context, to find one frame in the logs of all machines.
#pragma once

#include <string>

namespace elf {

/** Random, by the system's generator: 32 and 16 lower-case hex digits, not all 0. Any thread. */
std::string newTraceId();
std::string newSpanId();

/** The value of the header `traceparent`, for a recorded request of that trace and span. */
std::string traceparent(const std::string& traceId, const std::string& spanId);

}  // namespace elf
