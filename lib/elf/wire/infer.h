// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests and responses of the Open Inference Protocol v2 with the binary tensor extension, as
// values. Used by client and server alike. Nothing here trusts what it parses.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "elf/base/blocks.h"
#include "elf/base/error.h"
#include "elf/geometry/box.h"
#include "elf/wire/tensor.h"

namespace elf::wire {

using Parameter = std::variant<bool, std::int64_t, double, std::string>;
using Parameters = std::map<std::string, Parameter>;

struct RequestedOutput {
  std::string name;
  bool binary = false;
};

struct InferRequest {
  std::string id;
  Parameters parameters;
  std::vector<Tensor> inputs;
  /** Empty: all outputs. */
  std::vector<RequestedOutput> outputs;
  /** `binary_data_output`: what holds for outputs that are not named in `outputs`. */
  bool binaryOutputs = false;
};

struct InferResponse {
  std::string model;
  std::string version;
  std::string id;
  Parameters parameters;
  std::vector<Tensor> outputs;
};

/** The HTTP body of either, and the value of its `Inference-Header-Content-Length` header. */
struct Message {
  std::vector<std::uint8_t> body;
  /** Bytes of JSON before the first tensor; unset where no tensor is binary. */
  std::optional<std::size_t> jsonLength;
};

Message encode(const InferRequest& request);
Message encode(const InferResponse& response);

/** A tensor as messages carry it: made once, for as many of them as there are. */
struct EncodedTensor {
  /** Its object in the JSON. */
  Block json;
  /** What follows the JSON; null where the data stands in it. */
  Block data;
};

/** `binary` in the place of the tensor's own. Where it holds, the data is shared, not copied. */
EncodedTensor encode(const std::shared_ptr<const Tensor>& tensor, bool binary);

/** A Message whose body shares the tensors that it carries. */
struct SharedMessage {
  Blocks body;
  std::optional<std::size_t> jsonLength;
};

/** `inputs` stand in the place of the request's own. */
SharedMessage encode(const InferRequest& request, std::span<const EncodedTensor> inputs);

/** Most values in the JSON of a request, a response or metadata: whoever reads it does so before he
 * knows what it is. Enough for the pixels of 640x480. */
constexpr std::size_t kMostValues = 1U << 20;
/** The same where most of them are numbers, which take less: enough for what stock networks make of
 * a picture of 1280x1280. */
constexpr std::size_t kMostNumbers = 1U << 22;

/**
 * `jsonLength` as the header says it, unset without one. Both fail, naming the field, on anything
 * that protocol.md calls a 400: wrong lengths, shapes, types, overflow, more than kMostValues, or
 * than `mostNumbers`, all told. A header of 0 (a raw binary request) makes one input without name
 * or type: the server fills both in.
 */
Result<InferRequest> parseRequest(std::span<const std::uint8_t> body,
                                  std::optional<std::size_t> jsonLength);
Result<InferResponse> parseResponse(std::span<const std::uint8_t> body,
                                    std::optional<std::size_t> jsonLength,
                                    std::size_t mostNumbers = kMostValues);

/** The input tensor `image`: BYTES [1] that holds one encoded picture. */
Tensor encodedImage(std::span<const std::uint8_t> file);
/** The same as UINT8 [1,H,W,3]: `rgb` are the pixels of a picture of that size, without gaps. */
Tensor rawImage(std::span<const std::uint8_t> rgb, Size size);

/** The standard parameter `timeout`: after so long nobody waits for the answer any more. */
void setTimeout(Parameters& parameters, std::chrono::microseconds timeout);

/** Tells by `part_x`, `part_y`, `frame_width` and `frame_height` where a part lies in its frame. */
void setPlacement(Parameters& parameters, const Placement& placement);
/**
 * Where the picture of a request lies: in a frame of its own size, where its parameters say
 * nothing of it. Fails, naming the parameter, where it can't lie there, or some of them are
 * missing.
 */
Result<Placement> placementOf(const Parameters& parameters, Size picture);

}  // namespace elf::wire
