// SPDX-License-Identifier: LGPL-2.1-or-later
// The base URLs of inference servers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace elf {

/**
 * The URLs in a comma-separated list, in its order, without blanks around them and slashes at their
 * ends. Throws elf::Error naming `servers` for an empty list, and for an entry that is not an
 * http:// or https:// URL of a host and perhaps a port, or has a user name.
 */
std::vector<std::string> parseServers(std::string_view list);

/** The host of a URL from parseServers(): a name, or an address without brackets. */
std::string hostOf(std::string_view url);

/** `url` with its host replaced by `address`, of IPv4 or IPv6. */
std::string withHost(std::string_view url, std::string_view address);

/** Whether data sent to `url` can be read on its way: http:// to another machine. */
bool goesInClear(std::string_view url);

}  // namespace elf
