// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/offload/reading.h"

#include <algorithm>

#include "elf/base/printable.h"
#include "elf/wire/infer.h"

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

std::string reason(const HttpReply& reply) {
  if (reply.status == 0) return reply.error;
  const std::string text = "HTTP status " + std::to_string(reply.status);
  const std::string body =
      printable({reinterpret_cast<const char*>(reply.body.data()), reply.body.size()});
  return body.empty() ? text : text + ", " + body;
}

Result<wire::InferResponse> responseTo(const HttpReply& reply, const std::string& id,
                                       bool rawOutputs) {
  using Response = Result<wire::InferResponse>;
  if (reply.status != 200) return Response::failure(reason(reply));
  std::optional<std::size_t> jsonLength;
  if (!reply.jsonLength.empty()) {
    const bool digits =
        std::ranges::all_of(reply.jsonLength, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || reply.jsonLength.size() > 12)
      return Response::failure("Inference-Header-Content-Length: not a number");
    jsonLength = std::stoull(reply.jsonLength);
  }
  auto response = wire::parseResponse(reply.body, jsonLength,
                                      rawOutputs ? wire::kMostNumbers : wire::kMostValues);
  if (response && response.value().id != id)
    return Response::failure("answers request '" + printable(response.value().id, 64) +
                             "' where '" + id + "' was asked");
  return response;
}

ReadReply::ReadReply(const HttpReply& reply, const std::string& id, const ModelRules& rules,
                     const TensorNames& names, Size sent, const RemoteNetwork* network) {
  const auto response = responseTo(reply, id, network);
  if (!response) {
    error = response.error();
    return;
  }
  auto decoded = network ? network->read(response.value(), sent)
                         : wire::decodeDetections(response.value(), rules, sent, names);
  if (!decoded) {
    error = decoded.error();
    return;
  }
  detections = std::move(decoded.value());
  const wire::Parameters& parameters = response.value().parameters;
  queue = microseconds(parameters, "queue_us");
  decode = microseconds(parameters, "decode_us");
  infer = microseconds(parameters, "infer_us");
}

}  // namespace elf
