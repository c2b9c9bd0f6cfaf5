// SPDX-License-Identifier: LGPL-2.1-or-later
// The Open Inference Protocol v2 over HTTP (docs/wire.md).
#pragma once

#include <cstddef>
#include <string>

#include "elf/client/inference_client.h"
#include "elf/client/transport.h"

namespace elf {

/** Longest reply of raw outputs, in bytes. wire::kMostNumbers as JSON take about as many. */
inline constexpr std::size_t kLongestRawReply = std::size_t{64} << 20;

class HttpInferenceClient : public InferenceClient {
 public:
  /** The transport outlives the client. */
  explicit HttpInferenceClient(Transport& transport) : transport_(transport) {}

  EventLoop& loop() override { return transport_; }
  Handle askReadiness(const ServerAddress& server, Done<ServerReply> done) override;
  Handle askServerMetadata(const ServerAddress& server, Done<ServerMetadataReply> done) override;
  Handle askModelMetadata(const ServerAddress& server, const ModelVersion& model,
                          const std::string& image, Done<ModelMetadataReply> done) override;
  Handle infer(const ServerAddress& server, const ModelVersion& model, InferenceCall call,
               Done<InferenceReply> done) override;

 private:
  Transport& transport_;
};

}  // namespace elf
