// SPDX-License-Identifier: LGPL-2.1-or-later
// The work of clients and the state of their servers, as text for Prometheus. Not installed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "elf/metrics/frame_tally.h"
#include "elf/offload/offloader.h"
#include "elf/stream/frame_sender.h"
#include "elf/stream/stream.h"

namespace elf {

/** The counts of one client since its start, and its servers as they are now. */
struct ClientWork {
  FrameTally::Counts frames;
  OffloadStats parts;
  FrameSender::Stats pictures;
  /** The sum of all streams whose frames it sends. */
  Stream::Stats answers;
  /** Without removed ones. */
  std::vector<ServerReport> servers;
};

/** The labels of all series of one client, in UTF-8. */
struct ClientLabels {
  std::string element;
  std::string stream;

  bool operator==(const ClientLabels&) const = default;
};

struct ClientMetrics {
  ClientLabels labels;
  ClientWork work;
};

/** In Prometheus's text format (docs/tracing.md). The labels of each client must be unique. */
std::string metricsText(std::span<const ClientMetrics> clients);

}  // namespace elf
