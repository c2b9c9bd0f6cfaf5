// SPDX-License-Identifier: LGPL-2.1-or-later
// What announcer and browser agree on. Not installed.
#pragma once

#include <gio/gio.h>

#include <string>

namespace elf::avahi {

inline constexpr const char* kType = "_elf._tcp";
/** The local network, and no other. */
inline constexpr const char* kDomain = "local";
/** Any interface, any protocol. */
inline constexpr gint32 kAny = -1;
inline constexpr gint32 kIpv4 = 0;
inline constexpr gint32 kIpv6 = 1;

/** The message of an error of D-Bus, without the name of its type. */
std::string reasonOf(const GError* error);

}  // namespace elf::avahi
