// SPDX-License-Identifier: LGPL-2.1-or-later
// The base URLs of inference servers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "elf/client/client_security.h"

namespace elf {

/** Stands in a list for the servers that announce themselves on the local network: those with TLS,
 * and all. */
inline constexpr const char* kAnnounced = "avahi:";
inline constexpr const char* kAnnouncedInClear = "avahi+http:";

/**
 * The URLs in a comma-separated list, in its order, without blanks around them and slashes at their
 * ends. Throws elf::Error naming `servers` for an empty list, and for an entry that is neither an
 * http:// or https:// URL of a host and perhaps a port, nor kAnnounced or kAnnouncedInClear, or has
 * a user name.
 */
std::vector<std::string> parseServers(std::string_view list);

/** Whether it is kAnnounced or kAnnouncedInClear. */
bool isAnnounced(std::string_view url);

/**
 * Anybody can announce a server. Throws elf::Error naming `servers` unless `ca-file` vouches for
 * those of kAnnounced, and if a token would be sent to those of kAnnouncedInClear.
 */
void checkAnnounced(const std::vector<std::string>& urls, const ClientSecurity& security);

/** The host of a URL from parseServers(): a name, or an address without brackets. */
std::string hostOf(std::string_view url);

/** `url` with its host replaced by `address`, of IPv4 or IPv6. */
std::string withHost(std::string_view url, std::string_view address);

/** Whether data sent to `url` can be read on its way: http:// to another machine, or
 * kAnnouncedInClear. */
bool goesInClear(std::string_view url);

}  // namespace elf
