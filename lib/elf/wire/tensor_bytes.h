// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads and writes the bytes of tensors. Not installed.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "elf/base/half.h"
#include "elf/wire/malformed.h"
#include "elf/wire/tensor.h"

namespace elf::wire {

using Bytes = std::span<const std::uint8_t>;

// The wire is little-endian, and tensors are copied to and from memory as they are.
static_assert(std::endian::native == std::endian::little);

/** Size of the length before an element of Bytes. */
inline constexpr std::size_t kLengthPrefix = sizeof(std::uint32_t);
// The protocol does not define how JSON holds bytes that are not text. MLServer's content type
// `base64`, as a parameter of the tensor, states it. KServe's server ignores that.
inline constexpr const char* kContentType = "content_type";
inline constexpr const char* kBase64 = "base64";

template <typename T>
void append(std::vector<std::uint8_t>& out, T value) {
  std::array<std::uint8_t, sizeof(T)> raw;
  std::memcpy(raw.data(), &value, sizeof(T));
  out.insert(out.end(), raw.begin(), raw.end());
}

template <typename T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/** Calls `take` with a value of the C++ type of an integer type. False for another type. */
template <typename Take>
bool withIntegerOf(DataType type, Take&& take) {
  switch (type) {
    case DataType::Uint8:
      return take(std::uint8_t{}), true;
    case DataType::Uint16:
      return take(std::uint16_t{}), true;
    case DataType::Uint32:
      return take(std::uint32_t{}), true;
    case DataType::Uint64:
      return take(std::uint64_t{}), true;
    case DataType::Int8:
      return take(std::int8_t{}), true;
    case DataType::Int16:
      return take(std::int16_t{}), true;
    case DataType::Int32:
      return take(std::int32_t{}), true;
    case DataType::Int64:
      return take(std::int64_t{}), true;
    default:
      return false;
  }
}

/** Calls `take` with each element of a tensor, whose type is `T`. */
template <typename T, typename Take>
void forEach(const Tensor& tensor, Take&& take) {
  for (std::size_t at = 0; at + sizeof(T) <= tensor.data.size(); at += sizeof(T))
    take(load<T>(tensor.data.data() + at));
}

/** Calls `take` with each number of a tensor as a float. False for a type that holds no numbers. */
template <typename Take>
bool forEachFloat(const Tensor& tensor, Take&& take) {
  const auto cast = [&](auto value) { take(static_cast<float>(value)); };
  if (withIntegerOf(tensor.type, [&]<typename T>(T) { forEach<T>(tensor, cast); })) return true;
  switch (tensor.type) {
    case DataType::Fp16:
      forEach<std::uint16_t>(tensor, [&](std::uint16_t half) { take(halfToFloat(half)); });
      return true;
    case DataType::Bf16:
      forEach<std::uint16_t>(tensor, [&](std::uint16_t value) { take(bfloatToFloat(value)); });
      return true;
    case DataType::Fp32:
      forEach<float>(tensor, take);
      return true;
    case DataType::Fp64:
      forEach<double>(tensor, cast);
      return true;
    default:
      return false;
  }
}

/** Elements of a tensor of that shape. Throws if the shape is not possible. */
inline std::size_t elementCount(const std::vector<std::int64_t>& shape, std::size_t size,
                                const std::string& field) {
  std::size_t count = 1;
  std::size_t bytes = 0;
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, static_cast<std::size_t>(extent), &count))
      fail(field, "not a possible shape");
  if (__builtin_mul_overflow(count, std::max<std::size_t>(size, 1), &bytes))
    fail(field, "not a possible shape");
  return count;
}

/** The end of `count` prefixed elements that begin at `bytes`; unset if they do not fit. */
inline std::optional<std::size_t> endOfElements(Bytes bytes, std::size_t count) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (bytes.size() - at < kLengthPrefix) return std::nullopt;
    const std::size_t length = load<std::uint32_t>(bytes.data() + at);
    at += kLengthPrefix;
    if (bytes.size() - at < length) return std::nullopt;
    at += length;
  }
  return at;
}

/** The elements of a checked tensor of Bytes. */
inline std::vector<Bytes> elementsOf(const Tensor& tensor) {
  std::vector<Bytes> elements;
  Bytes rest = tensor.data;
  for (auto end = endOfElements(rest, 1); end; end = endOfElements(rest, 1)) {
    elements.push_back(rest.subspan(kLengthPrefix, *end - kLengthPrefix));
    rest = rest.subspan(*end);
  }
  return elements;
}

inline void appendBytes(Tensor& tensor, Bytes element) {
  append(tensor.data, static_cast<std::uint32_t>(element.size()));
  tensor.data.insert(tensor.data.end(), element.begin(), element.end());
}

}  // namespace elf::wire
