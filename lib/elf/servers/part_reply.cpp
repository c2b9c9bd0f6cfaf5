// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/part_reply.h"

#include <algorithm>
#include <utility>

#include "elf/servers/remote_network.h"
#include "elf/wire/detections.h"

namespace elf {

namespace {

std::optional<Microseconds> microseconds(const wire::Parameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::nullopt;
  double value = 0;
  if (const auto* whole = std::get_if<std::int64_t>(&found->second))
    value = static_cast<double>(*whole);
  else if (const auto* real = std::get_if<double>(&found->second))
    value = *real;
  // An hour is more than any deadline; NaN becomes 0.
  return Microseconds{value > 0 ? static_cast<std::int64_t>(std::min(value, 3.6e9)) : 0};
}

}  // namespace

PartReply::PartReply(const InferenceReply& reply, const ModelRules& rules, const TensorNames& names,
                     Size sent, const RemoteNetwork* network)
    : error(reply.error) {
  if (!reply.ok()) return;
  auto decoded = network ? network->read(reply.response, sent)
                         : wire::decodeDetections(reply.response, rules, sent, names);
  if (!decoded) {
    error = decoded.error();
    return;
  }
  detections = std::move(decoded.value());
  const wire::Parameters& parameters = reply.response.parameters;
  queue = microseconds(parameters, "queue_us");
  decode = microseconds(parameters, "decode_us");
  infer = microseconds(parameters, "infer_us");
}

}  // namespace elf
