// SPDX-License-Identifier: LGPL-2.1-or-later
// The log line of a request. Not installed.
#pragma once

#include <libsoup/soup.h>

#include <optional>
#include <string>

#include "elf/server/metrics.h"

namespace elf {

/** The log data of a request that its message does not have. */
struct RequestRecord {
  std::string peer, model, id, stream, trace;
  /** The answer was written completely. */
  bool answered = false;
  std::optional<InferTimes> times;
};

/** The record of this request. Network thread only, as the rest. */
RequestRecord& recordOf(SoupServerMessage* message);

/** Records the peer of a request that begins, and when its answer is written. */
void startRecord(SoupServerMessage* message);

/** The JSON object of docs/server.md. */
std::string logLine(SoupServerMessage* message);

}  // namespace elf
