// SPDX-License-Identifier: LGPL-2.1-or-later
// The models of a server, from one reload to the next. Not installed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "elf/server/metrics.h"
#include "elf/server/model_queue.h"
#include "elf/server/server.h"

namespace elf {

struct Serving {
  /** Throws elf::Error if a model cannot be made or two have one name. `metrics` must outlive
   * this. */
  Serving(const std::vector<ModelFactory>& factories, const ServerOptions& its,
          ServerMetrics& metrics);

  /** Null if there is none of that name. */
  ModelQueue* find(const std::string& model) const;

  const ServerOptions options;
  /** In the order of the factories. */
  std::vector<std::unique_ptr<ModelQueue>> queues;
};
/** A request holds the one that it began with. */
using ServingPtr = std::shared_ptr<const Serving>;

}  // namespace elf
