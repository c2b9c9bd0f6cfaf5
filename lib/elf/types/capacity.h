// SPDX-License-Identifier: LGPL-2.1-or-later
// The servers of a stream at one moment, and the rules of their model.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "elf/types/cost_model.h"
#include "elf/types/model_rules.h"

namespace elf {

class RemoteNetwork;

/** One inference endpoint at one moment. */
struct ServerState {
  /** As parseServers() (elf/servers/server_url.h) makes it of `servers`, with an address in place
   * of a name that has several. A server that is named twice has two entries. */
  std::string url;
  /** False while the server is left out after errors, or has not yet shown that it infers. */
  bool healthy = true;
  /** No longer among `servers`. It keeps its number for the answers that refer to it. */
  bool removed = false;
  /** Whether it takes raw pixels, and a JPEG. */
  bool takesRaw = false;
  bool takesEncoded = true;
  /** The network whose own tensor it takes instead of both; null if it takes pictures. */
  std::shared_ptr<const RemoteNetwork> network;
  CostModel cost;
  /** Recent bytes of each pixel sent to it, as JPEG or raw; the default is a JPEG's. With a
   * `network`, of each pixel that the network computes. */
  double bytesPerPixel = 0.25;
  /** Bytes of the largest picture that it has answered, if a larger one was too large for it, or
   * for a gateway (HTTP 413). */
  double mostBytes = std::numeric_limits<double>::infinity();
  /** Expected seconds of its unanswered parts, over all streams that share it, plus the seconds
   * until it accepts requests again (`Retry-After`). */
  double busy = 0;
  /** Answers that `cost` was learned from, probes and late ones included; 0: it is a guess. */
  std::uint64_t answers = 0;

  bool operator==(const ServerState&) const = default;
  /** Expected bytes of a part: `sent` pixels are sent, the model computes `computed`. */
  double bytes(double sent, double computed) const {
    return (network ? computed : sent) * bytesPerPixel;
  }
  /** Expected seconds of such a part. */
  double seconds(double sent, double computed) const {
    return cost.seconds(computed, bytes(sent, computed));
  }
};

/**
 * The servers and rules at one moment. A server keeps its number from READY->PAUSED until
 * PAUSED->READY, so that an index keeps its meaning while frames are in flight. The number of a
 * removed server is reused after a minute at the earliest. Made for each frame, and cheap to copy.
 */
struct Capacity {
  /** At least one server is not removed. */
  std::vector<ServerState> servers;
  ModelRules rules;
  /** Frames that may be on their way at once, >= 1. */
  int maxInFlight = 1;
};

using CapacityPtr = std::shared_ptr<const Capacity>;

}  // namespace elf
