// SPDX-License-Identifier: LGPL-2.1-or-later
// What libsoup and GIO say of a request that failed. Not installed.
#pragma once

#include <libsoup/soup.h>

#include <string>

namespace elf {

/** The error of a request, with what GIO holds against the server's certificate. */
std::string reasonOf(const GError* error, SoupMessage* message);

}  // namespace elf
