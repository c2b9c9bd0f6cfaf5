// SPDX-License-Identifier: LGPL-2.1-or-later
// Compressed bodies (HTTP's Content-Encoding). Not installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace elf {

enum class ContentCoding { Plain, Gzip, Deflate };

/** The header's spelling. Null for Plain. */
const char* toString(ContentCoding coding);
/** The coding in a Content-Encoding header. Null means no header. Unset if it is not supported. */
std::optional<ContentCoding> codingOf(const char* contentEncoding);
/** The coding that the peer prefers by its Accept-Encoding header. Null means no header. */
ContentCoding acceptedCoding(const char* acceptEncoding);

enum class Inflation { Whole, Broken, TooLarge };
/** Replaces `out` by the decompressed `body`. Stops after more than `most` bytes. */
Inflation inflate(std::span<const std::uint8_t> body, ContentCoding coding, std::size_t most,
                  std::vector<std::uint8_t>& out);
/** `coding` must not be Plain. */
std::vector<std::uint8_t> deflate(std::span<const std::uint8_t> body, ContentCoding coding);

}  // namespace elf
