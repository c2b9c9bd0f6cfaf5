// SPDX-License-Identifier: LGPL-2.1-or-later
// The servers of a stream as they stand at one moment, and what their model asks for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "elf/types/cost_model.h"
#include "elf/types/model_rules.h"

namespace elf {

class RemoteNetwork;

/** One inference endpoint as it stands now. */
struct ServerState {
  /** As parseServers() (elf/servers/server_url.h) makes it of `servers`, with an address in the
   * place of a name that has several; a server that is named twice stands here twice. */
  std::string url;
  /** False while the server is left out after errors, or has yet to show that it infers. */
  bool healthy = true;
  /** It is not among `servers` any more, and keeps its number for the answers that name it. */
  bool removed = false;
  /** Whether it takes pixels as they are, and as a JPEG. */
  bool takesRaw = false;
  bool takesEncoded = true;
  /** The network whose own tensor it takes, in the place of both; null where it takes pictures. */
  std::shared_ptr<const RemoteNetwork> network;
  CostModel cost;
  /** Bytes that a pixel made for it has taken lately, as JPEG or raw; the default is a JPEG's.
   * Where there is a `network`, of each pixel that this computes. */
  double bytesPerPixel = 0.25;
  /** Expected seconds of the parts that it has not answered yet, of all streams that share it, and
   * the seconds until it wants to be asked again (`Retry-After`). */
  double busy = 0;
  /** From how many answers `cost` was learned, probes and late ones too; 0: it is a guess. */
  std::uint64_t answers = 0;

  bool operator==(const ServerState&) const = default;
  /** Expected bytes of a part of `sent` pixels, out of which the model's input makes `computed`. */
  double bytes(double sent, double computed) const {
    return (network ? computed : sent) * bytesPerPixel;
  }
  /** The seconds that such a part is expected to take. */
  double seconds(double sent, double computed) const {
    return cost.seconds(computed, bytes(sent, computed));
  }
};

/**
 * How things stand at one moment. A
 * server keeps its number from READY->PAUSED until PAUSED->READY, so that an index keeps its
 * meaning while frames are in flight; that of a removed one is given away a minute later at the
 * earliest. Made for each frame, and cheap to copy.
 */
struct Capacity {
  /** At least one is not removed. */
  std::vector<ServerState> servers;
  ModelRules rules;
  /** Frames that may be on their way at once, >= 1. */
  int maxInFlight = 1;
};

using CapacityPtr = std::shared_ptr<const Capacity>;

}  // namespace elf
