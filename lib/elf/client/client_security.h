// SPDX-License-Identifier: LGPL-2.1-or-later
// Whom a client trusts, and who it says that it is.
#pragma once

#include <string>

namespace elf {

/** Files that elfoffload's properties of the same names point to; an empty one is not used. */
struct ClientSecurity {
  /** PEM: the authorities that vouch for https:// servers, in the place of the system's. */
  std::string caFile;
  /** PEM: what is shown to a server that asks for a certificate; with its key, where `clientKey`
   * does not hold that. */
  std::string clientCertificate;
  std::string clientKey;
  /** The bearer token that goes with each request; see readToken()
   * (elf/base/token_file.h). */
  std::string tokenFile;
};

}  // namespace elf
