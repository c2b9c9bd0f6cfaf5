// SPDX-License-Identifier: LGPL-2.1-or-later
// The certificates of a server. Not installed.
#pragma once

#include <gio/gio.h>
#include <libsoup/soup.h>

#include "elf/base/glib.h"
#include "elf/server/server.h"

namespace elf {

struct ServerTls {
  /** Reads the files of `options`. Throws elf::Error if one can't be used or is incomplete. */
  explicit ServerTls(const ServerOptions& options);
  /** For the next connections of `server`. Network thread only. */
  void apply(SoupServer* server) const;

  /** Null: HTTP. */
  Ref<GTlsCertificate> certificate;
  /** The authorities of clients. Null: clients need no certificate. */
  Ref<GTlsDatabase> clients;
};

}  // namespace elf
