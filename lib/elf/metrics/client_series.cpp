// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/metrics/client_series.h"

#include <dlfcn.h>

#include <utility>

#include "elf/base/error.h"
#include "elf/base/printable.h"
#include "elf/metrics/metrics_module.h"

namespace elf {

std::unique_ptr<ClientSeries> openClientSeries(const MetricsPlace& place, ClientLabels labels,
                                               ClientSeries::Look look) {
  void* const library = dlopen("libelfvision-metrics.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) throw Error("metrics-port", "no metrics: " + printable(dlerror(), 500));
  const auto* module = static_cast<const MetricsModule*>(dlsym(library, "elf_metrics_module"));
  return module->open(place, std::move(labels), std::move(look));
}

}  // namespace elf
