// SPDX-License-Identifier: LGPL-2.1-or-later
// Which servers a client trusts, and how it identifies itself.
#pragma once

#include <string>

namespace elf {

/** Files that elfoffload's properties of the same names point to; an empty one is not used. */
struct ClientSecurity {
  /** PEM: the authorities that vouch for https:// servers, instead of the system's. */
  std::string caFile;
  /** PEM: the certificate for a server that asks for one, with its key unless `clientKey` holds
   * that. */
  std::string clientCertificate;
  std::string clientKey;
  /** The bearer token sent with each request; see readToken() (elf/base/token_file.h). */
  std::string tokenFile;
};

}  // namespace elf
