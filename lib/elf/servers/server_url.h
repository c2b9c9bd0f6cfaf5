// SPDX-License-Identifier: LGPL-2.1-or-later
// The base URLs of inference servers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace elf {

/**
 * The URLs in a comma-separated list, in its order, without blanks around them and slashes at their
 * ends. Throws elf::Error naming `servers` for an empty list, and for an entry that is no http://
 * or https:// URL of a host and perhaps a port, or names a user.
 */
std::vector<std::string> parseServers(std::string_view list);

/** The host of a URL that parseServers() has let pass: a name, or an address without brackets. */
std::string hostOf(std::string_view url);

/** `url` with `address`, of IPv4 or IPv6, in the place of its host. */
std::string withHost(std::string_view url, std::string_view address);

/** Whether what goes to `url` can be read on its way: http:// to another machine. */
bool goesInClear(std::string_view url);

}  // namespace elf
