// SPDX-License-Identifier: LGPL-2.1-or-later
// What a text says of a machine. Asks no name server.
#pragma once

#include <string>

namespace elf {

/** Whether a host is an address, of IPv4 or IPv6, and not a name. */
bool isAddress(const std::string& host);

/** Whether it is an address of this machine that others can't reach; a name is none. */
bool isLoopback(const std::string& host);

/**
 * Whether nobody on the way can change what comes from a URL: it is https://, or http:// of a
 * loopback address or of `localhost`. What is not a URL is not.
 */
bool isHttpsOrThisMachine(const std::string& url);

}  // namespace elf
