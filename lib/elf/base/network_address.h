// SPDX-License-Identifier: LGPL-2.1-or-later
// What the text of a host or URL shows about a machine. Asks no name server.
#pragma once

#include <string>

namespace elf {

/** Whether a host is an address, of IPv4 or IPv6, and not a name. */
bool isAddress(const std::string& host);

/** Whether it is a loopback address, which other machines can't reach. False for a name. */
bool isLoopback(const std::string& host);

/**
 * Whether data from a URL can't be changed on the way: it is https://, or http:// of a loopback
 * address or of `localhost`. False for text that is not a URL.
 */
bool isHttpsOrThisMachine(const std::string& url);

}  // namespace elf
