// SPDX-License-Identifier: LGPL-2.1-or-later
// The work of clients and the state of their servers, as text for Prometheus. Not installed.
#pragma once

#include <span>
#include <string>

#include "elf/metrics/client_series.h"

namespace elf {

struct ClientMetrics {
  ClientLabels labels;
  ClientWork work;
};

/** In Prometheus's text format (docs/tracing.md). The labels of each client must be unique. */
std::string metricsText(std::span<const ClientMetrics> clients);

}  // namespace elf
