// SPDX-License-Identifier: LGPL-2.1-or-later
// The answer of a server about a part.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "elf/types/detection.h"

namespace elf {

using Microseconds = std::chrono::microseconds;

/** The outcome of one part. */
enum class AnswerState {
  Answered,  ///< a server inferred it
  Failed,    ///< no server could (refused, broken, or a malformed answer)
  Late       ///< no server had answered by the deadline
};

/** The answer about one part. */
struct PartAnswer {
  AnswerState state = AnswerState::Failed;
  /** In the pixels of the sent part; empty unless Answered. */
  std::vector<Detection> detections;
  /** Index into Capacity::servers of the server that answered or failed last. */
  int server = 0;
  /** How often the part was sent, each time to another server. */
  int attempts = 0;
  /** Attempts that were sent because another one was late (elf/servers/lateness.h). */
  int hedges = 0;
  /** The span of its last request (elf/base/trace_id.h); empty if none was sent. */
  std::string span;
  /** From sending until the whole answer arrived. */
  Microseconds roundTrip{0};
  /** As the server reports them; zero if it does not. */
  Microseconds queue{0}, decode{0}, infer{0};
  /** Size of the encoded picture (all attempts together). */
  std::size_t bytesSent = 0;
  /** Why, unless Answered: one sentence that names the server. */
  std::string error;
};

}  // namespace elf
