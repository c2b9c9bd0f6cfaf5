// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests that two programs may read differently. Not installed.
#pragma once

#include <libsoup/soup.h>

namespace elf {

/**
 * Why a proxy and this server might disagree about whom a request is for, or where it ends: more
 * than one Host or Content-Length, or a Content-Length beside Transfer-Encoding (RFC 9112, 3.2 and
 * 6.3). Null for a plain request. libsoup takes one of them. Such a request is answered with 400,
 * and its connection closed.
 */
const char* framingFault(SoupServerMessage* message);

}  // namespace elf
