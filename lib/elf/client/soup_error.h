// SPDX-License-Identifier: LGPL-2.1-or-later
// The errors of libsoup and GIO for a failed request. Not installed.
#pragma once

#include <libsoup/soup.h>

#include <string>

namespace elf {

/** The error of a request, with the flaws that GIO finds in the server's certificate. */
std::string reasonOf(const GError* error, SoupMessage* message);

}  // namespace elf
