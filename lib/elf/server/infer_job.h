// SPDX-License-Identifier: LGPL-2.1-or-later
// A request for inference, on its way through a server. Not installed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "elf/server/content_coding.h"
#include "elf/server/metrics.h"
#include "elf/server/reply.h"

namespace elf {

/** The outcome of a request for inference. */
struct InferOutcome {
  Reply reply;
  /** The request's id. Empty if the request was not read. */
  std::string id;
  InferTimes times;
};

/** A request for inference that waits for its turn. */
struct InferJob {
  /** The stream that it belongs to (turns.h). */
  std::string stream;
  std::vector<std::uint8_t> body;
  /** The compression of `body`, and the one accepted for the answer. */
  ContentCoding coding = ContentCoding::Plain;
  ContentCoding accepted = ContentCoding::Plain;
  std::optional<std::size_t> jsonLength;
  std::chrono::steady_clock::time_point received;
  /** Whether the peer no longer waits for the answer. Called from any thread, with the lock of the
   * queue held. */
  std::function<bool()> abandoned;
  /** Called once, from any thread, with no lock held. */
  std::function<void(InferOutcome)> done;
};

}  // namespace elf
