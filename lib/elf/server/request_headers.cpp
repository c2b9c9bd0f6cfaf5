// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/request_headers.h"

#include <cstdint>
#include <limits>
#include <string_view>

#include "elf/base/glib.h"

namespace elf {

namespace {

std::string digestOf(const std::string& text) {
  return takeText(g_compute_checksum_for_string(G_CHECKSUM_SHA256, text.data(),
                                                static_cast<gssize>(text.size())));
}

bool isHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool isZero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

std::optional<std::size_t> jsonLengthOf(const char* text) {
  guint64 value = 0;
  if (!g_ascii_string_to_unsigned(text, 10, 0, std::numeric_limits<std::size_t>::max() / 2, &value,
                                  nullptr))
    return std::nullopt;
  return value;
}

bool bringsToken(const char* authorization, const std::string& token) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!authorization || g_ascii_strncasecmp(authorization, kScheme.data(), kScheme.size()) != 0)
    return false;
  std::string_view brought = authorization + kScheme.size();
  while (brought.starts_with(' ')) brought.remove_prefix(1);
  // Digests have the same length for any token, and a peer can't choose how they begin.
  const std::string is = digestOf(std::string(brought));
  const std::string wanted = digestOf(token);
  unsigned differences = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    differences |= static_cast<unsigned char>(is[i]) ^ static_cast<unsigned char>(wanted[i]);
  return differences == 0;
}

std::string traceIdOf(const char* traceparent) {
  // VERSION-TRACE-PARENT-FLAGS. A future version may append more.
  constexpr std::size_t kLength = 55;
  const std::string_view text = traceparent ? traceparent : "";
  if (text.size() < kLength) return {};
  const std::string_view version = text.substr(0, 2), trace = text.substr(3, 32),
                         parent = text.substr(36, 16), flags = text.substr(53, 2);
  const bool ends = text.size() == kLength || (version != "00" && text[kLength] == '-');
  if (text[2] != '-' || text[35] != '-' || text[52] != '-' || !ends) return {};
  if (!isHex(version) || version == "ff" || !isHex(trace) || isZero(trace) || !isHex(parent) ||
      isZero(parent) || !isHex(flags))
    return {};
  return std::string(trace);
}

}  // namespace elf
