// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/network_address.h"

#include <gio/gio.h>

namespace elf {

bool isAddress(const std::string& host) {
  return g_hostname_is_ip_address(host.c_str());
}

bool isLoopback(const std::string& host) {
  GInetAddress* address = g_inet_address_new_from_string(host.c_str());
  const bool loopback = address && g_inet_address_get_is_loopback(address);
  if (address) g_object_unref(address);
  return loopback;
}

}  // namespace elf
