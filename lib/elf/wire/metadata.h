// SPDX-License-Identifier: LGPL-2.1-or-later
// What `GET /v2/models/NAME` answers: a model's tensors, and how Elf is to cut parts for it.
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

/** A tensor as the metadata names it; -1 in a shape stands for any extent. */
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
   * Whether the image may be UINT8 [1,H,W,3], and BYTES [1]. A server says the first by that
   * datatype in `inputs`, and then it means nothing else, or by `raw` in its `parameters`, besides
   * BYTES.
   */
  bool takesRaw = false;
  bool takesEncoded = true;
  /** Unset where the server says nothing about them: then a local .model file has to. */
  std::optional<ModelRules> rules;

  bool operator==(const ModelMetadata&) const = default;
};

/** One JSON object. */
std::string encodeMetadata(const ModelMetadata& metadata);

/**
 * Fails, naming the field, on anything that is no metadata or has more than kMostValues; trusts
 * nothing. `image` is what the server calls that input.
 */
Result<ModelMetadata> parseMetadata(std::span<const std::uint8_t> body,
                                    std::string_view image = "image");

/**
 * Whether tensors may be sent behind the JSON to a server that answers this to `GET /v2`: unless it
 * lists its extensions and `binary_tensor_data` is not among them. OpenVINO Model Server has no
 * list, and takes binary tensors.
 */
bool takesBinary(std::span<const std::uint8_t> body);

/**
 * Whether a server whose list lacks them may take binary tensors of numbers all the same, as
 * KServe's Python server does (0.21), which takes none of BYTES. Of others a try is no good:
 * MLServer logs each such body.
 */
bool mayTakeBinaryNumbers(std::span<const std::uint8_t> body);

}  // namespace elf::wire
