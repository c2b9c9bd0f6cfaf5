// SPDX-License-Identifier: LGPL-2.1-or-later
// The export of the library elfvision-metrics, which is loaded when a client has a metrics-port, so
// that others do not pay for Prometheus's library. Not installed.
#pragma once

#include "elf/metrics/client_series.h"

namespace elf {

struct MetricsModule {
  /** As openClientSeries(). */
  std::unique_ptr<ClientSeries> (*open)(const MetricsPlace& place, ClientLabels labels,
                                        ClientSeries::Look look);
};

}  // namespace elf
