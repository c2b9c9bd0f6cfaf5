// SPDX-License-Identifier: LGPL-2.1-or-later
// The answer to `GET /v2/models/NAME`: a model's tensors, and how Elf is to cut parts for it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elf/base/error.h"
#include "elf/types/model_rules.h"
#include "elf/wire/infer.h"

namespace elf::wire {

/** A tensor in the metadata; -1 in a shape means any extent. */
struct TensorSpec {
  std::string name;
  DataType type = DataType::Fp32;
  std::vector<std::int64_t> shape;

  bool operator==(const TensorSpec&) const = default;
};

struct ModelMetadata {
  std::string name;
  std::vector<std::string> versions;
  std::string platform;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  /**
   * Whether the image may be UINT8 [1,H,W,3], and BYTES [1]. A server states the first by that
   * datatype in `inputs`, and then takes nothing else, or by `raw` in its `parameters`, besides
   * BYTES.
   */
  bool takesRaw = false;
  bool takesEncoded = true;
  /** Unset if the server does not state them. A local .model file then has to. */
  std::optional<ModelRules> rules;

  bool operator==(const ModelMetadata&) const = default;
};

/** One JSON object. */
std::string encodeMetadata(const ModelMetadata& metadata);

/**
 * Fails, naming the field, on anything that is not metadata or has more than kMostValues. Trusts
 * nothing. `image` is the server's name for that input.
 */
Result<ModelMetadata> parseMetadata(std::span<const std::uint8_t> body,
                                    std::string_view image = "image");

/**
 * Whether a server with this answer to `GET /v2` takes tensors behind the JSON: unless it lists its
 * extensions and `binary_tensor_data` is not among them. OpenVINO Model Server has no list, and
 * takes binary tensors.
 */
bool takesBinary(std::span<const std::uint8_t> body);

/**
 * Whether a server whose list lacks binary tensors may still take those of numbers, as KServe's
 * Python server does (0.21), which takes none of BYTES. Other servers are not tried: MLServer logs
 * each such body.
 */
bool mayTakeBinaryNumbers(std::span<const std::uint8_t> body);

}  // namespace elf::wire
