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
