// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/network_address.h"

#include "elf/base/glib.h"

namespace elf {

bool isAddress(const std::string& host) {
  return g_hostname_is_ip_address(host.c_str());
}

bool isLoopback(const std::string& host) {
  const Ref<GInetAddress> address(g_inet_address_new_from_string(host.c_str()));
  return address && g_inet_address_get_is_loopback(address.get());
}

bool isHttpsOrThisMachine(const std::string& url) {
  const Ref<GUri> uri(g_uri_parse(url.c_str(), G_URI_FLAGS_ENCODED, nullptr));
  if (!uri) return false;
  const std::string scheme = g_uri_get_scheme(uri.get());
  const char* named = g_uri_get_host(uri.get());
  const std::string host = named ? named : "";
  return !host.empty() &&
         (scheme == "https" || (scheme == "http" && (host == "localhost" || isLoopback(host))));
}

}  // namespace elf
