// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/client/client_security.h"

#include <gio/gio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "elf/base/error.h"

namespace elf {

std::string readToken(const std::string& subject, const std::string& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  // White space around it is allowed, a device without end is not.
  std::string text(2 * kLongestToken, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad())
    throw Error(subject, "cannot read '" + file + "': " + std::strerror(errno ? errno : EIO));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  constexpr const char* kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) throw Error(subject, "'" + file + "' is empty");
  std::string token = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  if (token.size() > kLongestToken ||
      !std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; }))
    throw Error(subject, "'" + file + "' holds no token, which is one word of ASCII characters");
  return token;
}

bool goesInClear(const std::string& url) {
  if (!url.starts_with("http://")) return false;
  GUri* uri = g_uri_parse(url.c_str(), G_URI_FLAGS_NONE, nullptr);
  if (!uri) return true;
  const gchar* named = g_uri_get_host(uri);
  const std::string host = named ? named : "";
  g_uri_unref(uri);
  if (host == "localhost") return false;
  GInetAddress* address = g_inet_address_new_from_string(host.c_str());
  const bool loopback = address && g_inet_address_get_is_loopback(address);
  if (address) g_object_unref(address);
  return !loopback;
}

}  // namespace elf
