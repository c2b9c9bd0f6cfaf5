// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests and responses of the Open Inference Protocol v2 with the binary tensor extension, as
// values. Used by client and server. Nothing here trusts what it parses.
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
  /** `binary_data_output`: holds for outputs that are not named in `outputs`. */
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
  /** Bytes of JSON before the first binary tensor; unset if no tensor is binary. */
  std::optional<std::size_t> jsonLength;
};

Message encode(const InferRequest& request);
Message encode(const InferResponse& response);

/** An encoded tensor, made once for all messages that carry it. */
struct EncodedTensor {
  /** Its object in the JSON, and the end of that, from the shape on. */
  Block json, shape;
  /** The data that follows the JSON; null if the JSON holds it. */
  Block data;
};

/** `binary` replaces the tensor's own. If true, the data is shared, not copied. */
EncodedTensor encode(const std::shared_ptr<const Tensor>& tensor, bool binary);
/** The same with a leading batch dimension of 1. */
EncodedTensor batchOfOne(EncodedTensor encoded, const Tensor& tensor);

/** A Message whose body shares the tensors that it carries. */
struct SharedMessage {
  Blocks body;
  std::optional<std::size_t> jsonLength;
};

/** `inputs` replace the request's own. */
SharedMessage encode(const InferRequest& request, std::span<const EncodedTensor> inputs);

/** Most values in the JSON of a request, a response or metadata, as it is parsed before its kind is
 * known. Enough for the pixels of 640x480. */
constexpr std::size_t kMostValues = 1U << 20;
/** The same if most of them are numbers, which take less: enough for what stock networks output for
 * a picture of 1280x1280. */
constexpr std::size_t kMostNumbers = 1U << 22;

/**
 * `jsonLength` is the value of the header, unset without one. Both fail, naming the field, on wrong
 * lengths, shapes and types, on overflow, and on more than kMostValues, or `mostNumbers`, in total.
 * A header of 0 (a raw binary request) makes one input without name or type: the server fills both
 * in.
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

/** The standard parameter `timeout`: after it the caller no longer waits for the answer. */
void setTimeout(Parameters& parameters, std::chrono::microseconds timeout);

/** Sets `part_x`, `part_y`, `frame_width` and `frame_height`: where a part lies in its frame. */
void setPlacement(Parameters& parameters, const Placement& placement);
/**
 * Where the picture of a request lies. Without these parameters it is a frame of its own. Fails,
 * naming the parameter, if the picture can't lie there or some of them are missing.
 */
Result<Placement> placementOf(const Parameters& parameters, Size picture);

}  // namespace elf::wire
