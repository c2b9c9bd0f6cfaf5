// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/serving.h"

#include <algorithm>
#include <utility>

#include "elf/base/error.h"

namespace elf {

Serving::Serving(const std::vector<ModelFactory>& factories, const ServerOptions& its,
                 ServerMetrics& metrics)
    : options(its) {
  for (const ModelFactory& factory : factories) {
    auto queue = std::make_unique<ModelQueue>(factory, options, metrics);
    if (find(queue->metadata().name)) throw Error(queue->metadata().name, "is there twice");
    queues.push_back(std::move(queue));
  }
}

ModelQueue* Serving::find(const std::string& model) const {
  const auto found = std::ranges::find_if(
      queues, [&](const auto& queue) { return queue->metadata().name == model; });
  return found == queues.end() ? nullptr : found->get();
}

}  // namespace elf
