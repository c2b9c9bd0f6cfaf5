// SPDX-License-Identifier: LGPL-2.1-or-later
// Tensors of the Open Inference Protocol v2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace elf::wire {

enum class DataType {
  Bool,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Int8,
  Int16,
  Int32,
  Int64,
  Fp16,
  Bf16,
  Fp32,
  Fp64,
  Bytes,
  Unknown  ///< an output whose type the protocol does not know; its data is not read
};

/** "BOOL", "UINT8", ... as the protocol spells them. */
std::string_view toString(DataType type);
/** Unset for a name that the protocol does not know. */
std::optional<DataType> dataTypeFromString(std::string_view name);
/** Bytes of one element; 0 for Bytes and Unknown. */
std::size_t elementSize(DataType type);

/** A named tensor. */
struct Tensor {
  std::string name;
  DataType type = DataType::Fp32;
  std::vector<std::int64_t> shape;
  /** Row-major and little-endian; each element of Bytes is a 4-byte length and its bytes. */
  std::vector<std::uint8_t> data;
  /**
   * Whether the tensor is written behind the JSON instead of inside it. Inside, if an element of
   * Bytes is not UTF-8, all are base64, and the tensor's parameter `content_type` says so.
   */
  bool binary = true;
};

}  // namespace elf::wire
