// SPDX-License-Identifier: LGPL-2.1-or-later
// Bodies that are compressed on their way (HTTP's Content-Encoding). Not installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace elf {

enum class ContentCoding { Plain, Gzip, Deflate };

/** As the header spells it; null for Plain. */
const char* toString(ContentCoding coding);
/** What a Content-Encoding header names, null where there is none; unset if it is none of these. */
std::optional<ContentCoding> codingOf(const char* contentEncoding);
/** What the peer likes best of these by its Accept-Encoding header; null where there is none. */
ContentCoding acceptedCoding(const char* acceptEncoding);

enum class Inflation { Whole, Broken, TooLarge };
/** Replaces `out` by what `body` holds, stopping where that is more than `most` bytes. */
Inflation inflate(std::span<const std::uint8_t> body, ContentCoding coding, std::size_t most,
                  std::vector<std::uint8_t>& out);
/** `coding` is not Plain. */
std::vector<std::uint8_t> deflate(std::span<const std::uint8_t> body, ContentCoding coding);

}  // namespace elf
